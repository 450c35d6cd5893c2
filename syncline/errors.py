"""Everything that Syncline raises on purpose, in one tree.

SynclineError
  SettingsError             a setting, flag or argument is wrong         exit code 2
  ContractError             a record breaks the wire contract            -> dead letter
  MediaError                media bytes cannot be used                   -> dead letter
  UnpackError               a batch of records cannot be unpacked        -> dead letters
  BrokerError               the broker refused, for another reason       exit code 1
    BrokerUnreachableError  no broker answers at its address, no leader  exit code 1           may retry
    BrokerTimeoutError      the broker did not answer in time            exit code 1           may retry
    TopicError              a topic is missing, or unlike what it must   exit code 1
    AccessError             TLS, user or password is refused             exit code 2
      MissingRightError     the user lacks a right                       exit code 1
    AbortedError            a transaction was aborted: nothing counts    exit code 1           may retry
    FencedError             another producer took the transactional id   exit code 1
  NewerVersionError         a newer Syncline wrote what must be read     exit code 1
  MissingExtraError         an optional part is not installed            exit code 2
  ServiceMissingError       the service itself is not installed          exit code 2
  SetFailedError            the model fails on this set alone            -> dead letter
  NoAnswerError             the service stopped before the model spoke   acknowledge nothing   may retry
  ModelThreadError          the thread that runs the model has ended     exit code 1
  NotLiveError              a worker that should be started anew         exit code 1           may retry
  NotRecoverableError       the decision log does not say where it stood not ready
    MadeAnewError           a media topic was deleted and made anew      not ready
    AnotherGroupError       the log belongs to another consumer group    not ready
    MorePartitionsError     others count more partitions than this       not ready             may retry
  PartitionsChangedError    a worker was started with other partitions   exit code 1           may retry
  DemoError                 a process of the demo has ended              exit code 1

May retry: the same call, or the command once more, may succeed though nobody has mended anything. Each class says it
as `may_retry`, and an error of the broker's may say otherwise than its class, where the broker says that it will pass.
"""

from __future__ import annotations


class SynclineError(Exception):
    """Base of all errors that Syncline raises on purpose."""

    exit_code = 1
    may_retry: bool = False
    """Whether the same may succeed when it is tried again, though nobody has mended anything."""

    @property
    def line(self) -> str:
        """What a command that it ends says on stderr: what a person can mend needs one line, not a traceback."""
        return f"syncline: {' '.join(str(self).split())}"


class SettingsError(SynclineError):
    """A setting is wrong: names it, what it got and what it takes."""

    exit_code = 2

    def __init__(self, name: str, got: object, takes: str) -> None:
        super().__init__(f"{name}: got {got!r}, takes {takes}")
        self.name, self.got, self.takes = name, got, takes


class ContractError(SynclineError):
    """A record breaks the wire contract; `reason` is its dead-letter reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class MediaError(SynclineError):
    """Media bytes cannot be used; `reason` is the dead-letter reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class BrokerError(SynclineError):
    """The broker cannot be used; this class itself: it refused, or has not what is asked for, as the message says.

    may_retry: whether trying again may help, where that is known better than its class says.
    """

    def __init__(self, text: str, *, may_retry: bool | None = None) -> None:
        super().__init__(text)
        if may_retry is not None:
            self.may_retry = may_retry


class BrokerUnreachableError(BrokerError):
    """No broker answers at its address, or a topic has no leader now: it may be starting, or on its way back."""

    may_retry = True


class BrokerTimeoutError(BrokerError):
    """The broker did not answer, or not get done, in time: whether it did what was asked is not known."""

    may_retry = True


class TopicError(BrokerError):
    """A topic is missing, or its partitions or settings are not as Syncline needs them; nobody else makes them so."""


class NewerVersionError(SynclineError):
    """A newer Syncline wrote this, in a form that is not known here; passing over it would lose something."""


class AccessError(BrokerError):
    """The broker refuses this client, or its certificate cannot be trusted: a setting or a certificate is wrong."""

    exit_code = 2


class MissingRightError(AccessError):
    """The broker knows this client, and does not allow it what it asks for: an administrator can, at the broker."""

    exit_code = 1


class AbortedError(BrokerError):
    """A transaction was aborted: nothing that was sent in it counts, for anybody. Another one may do."""

    may_retry = True


class FencedError(BrokerError):
    """Another producer with this transactional id has begun; this one can send nothing more."""


class MissingExtraError(SynclineError):
    """An optional part of Syncline is needed and not installed."""

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra: pip install 'syncline[{extra}]'")


class SetFailedError(SynclineError):
    """The model fails on this one set while it answers others; `reason` is the dead-letter reason."""

    def __init__(self, detail: str) -> None:
        self.reason, self.detail = "model_failed", detail
        super().__init__(f"{self.reason}: {detail}")


class NoAnswerError(SynclineError):
    """The service stopped before the model answered: nothing is known of the set, so nothing is acknowledged."""

    may_retry = True


class ServiceMissingError(SynclineError):
    """A command of the service was called where only the package for producers and consumers is installed."""

    exit_code = 2

    def __init__(self, command: str) -> None:
        super().__init__(f"{command} needs the service: run it in a clone of the repository, or from its image")
