"""Everything that Syncline raises on purpose, in one tree.

SynclineError
  SettingsError             a setting, flag or argument is wrong         exit code 2
  ContractError             a record breaks the wire contract            -> dead letter
  MediaError                media bytes cannot be used                   -> dead letter
  UnpackError               a batch of records cannot be unpacked        -> dead letters
  BrokerError               the broker refused for another reason        exit code 1
    BrokerUnreachableError  no broker answers at its address, no leader  exit code 1           may retry
    BrokerTimeoutError      the broker did not answer in time            exit code 1           may retry
    TopicError              a topic is missing or differs from the plan  exit code 1
    AccessError             TLS, user or password is refused             exit code 2
      MissingRightError     the user lacks a right                       exit code 1
    AbortedError            a transaction was aborted: nothing counts    exit code 1           may retry
    FencedError             another producer took the transactional id   exit code 1
  NewerVersionError         a newer Syncline wrote the record            exit code 1
  MissingExtraError         an optional part is not installed            exit code 2
  ServiceMissingError       the service itself is not installed          exit code 2
  SetFailedError            the model fails on this set alone            -> dead letter
  NoAnswerError             the service stopped before the model spoke   acknowledge nothing   may retry
  ModelThreadError          the thread that runs the model has ended     exit code 1
  NotLiveError              a worker that should be restarted            exit code 1           may retry
  NotRecoverableError       the decision log has no usable state         not ready
    MadeAnewError           a media topic was deleted and created again  not ready
    AnotherGroupError       the log belongs to another consumer group    not ready
    MorePartitionsError     others count more partitions than this       not ready             may retry
  PartitionsChangedError    a worker was started with other partitions   exit code 1           may retry
  DemoError                 a process of the demo has ended              exit code 1

May retry: the same call or command may succeed later without a fix. Each class says so in `may_retry`; a single
`BrokerError` may differ from its class where the broker says that the error is transient.
"""

from __future__ import annotations


class SynclineError(Exception):
    """Base of all errors that Syncline raises on purpose."""

    exit_code = 1
    may_retry: bool = False
    """Whether the same call may succeed later without a fix."""

    @property
    def line(self) -> str:
        """One line for stderr when the error ends a command: what a person can fix needs no traceback."""
        return f"syncline: {' '.join(str(self).split())}"


class SettingsError(SynclineError):
    """A setting is wrong; the message says what it got and what it takes.

    Args:
        name (str): the setting.
        got (object): its value.
        takes (str): the values that it takes, in words.
    """

    exit_code = 2

    def __init__(self, name: str, got: object, takes: str) -> None:
        super().__init__(f"{name}: got {got!r}, takes {takes}")
        self.name, self.got, self.takes = name, got, takes


class ContractError(SynclineError):
    """A record breaks the wire contract.

    Args:
        reason (str): the dead-letter reason, a key of `syncline.wire.contract.REASONS`.
        detail (str): what is wrong, for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class MediaError(SynclineError):
    """Media bytes cannot be used.

    Args:
        reason (str): the dead-letter reason, one of `processors.limits.REASONS`.
        detail (str): what is wrong, for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class BrokerError(SynclineError):
    """The broker cannot be used. This class itself: it refused, for the reason in the message.

    Args:
        text (str): the message.
        may_retry (bool | None): whether the same call may succeed later without a fix. Default None: as its class.
    """

    def __init__(self, text: str, *, may_retry: bool | None = None) -> None:
        super().__init__(text)
        if may_retry is not None:
            self.may_retry = may_retry


class BrokerUnreachableError(BrokerError):
    """No broker answers at its address, or a topic has no leader; it may be starting."""

    may_retry = True


class BrokerTimeoutError(BrokerError):
    """The broker did not finish in time; whether it did what was asked is unknown."""

    may_retry = True


class TopicError(BrokerError):
    """A topic is missing, or its partitions or settings are wrong for Syncline; an operator has to fix it."""


class NewerVersionError(SynclineError):
    """A newer Syncline wrote this in an unknown form; skipping it would lose data."""


class AccessError(BrokerError):
    """The broker refuses this client, or its certificate is not trusted: a setting or a certificate is wrong."""

    exit_code = 2


class MissingRightError(AccessError):
    """The broker knows this client and denies it a right; an administrator grants it at the broker."""

    exit_code = 1


class AbortedError(BrokerError):
    """A transaction was aborted: none of its sends counts. Another transaction may succeed."""

    may_retry = True


class FencedError(BrokerError):
    """Another producer with this transactional id has started; this one cannot send any more."""


class MissingExtraError(SynclineError):
    """An optional part of Syncline is needed but not installed."""

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra: pip install 'syncline[{extra}]'")


class SetFailedError(SynclineError):
    """The model fails on this set but answers others; `reason` is the dead-letter reason."""

    def __init__(self, detail: str) -> None:
        self.reason, self.detail = "model_failed", detail
        super().__init__(f"{self.reason}: {detail}")


class NoAnswerError(SynclineError):
    """The service stopped before the model answered, so the set is not acknowledged."""

    may_retry = True


class ServiceMissingError(SynclineError):
    """A service command was called where only the package for producers and consumers is installed."""

    exit_code = 2

    def __init__(self, command: str) -> None:
        super().__init__(f"{command} needs the service: run it in a clone of the repository, or from its image")
