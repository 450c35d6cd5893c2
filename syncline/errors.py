"""Everything that Syncline raises on purpose, in one tree.

SynclineError
  SettingsError        a setting, flag or argument is wrong         exit code 2
  ContractError        a record breaks the wire contract            -> dead letter
  MediaError           media bytes cannot be used                   -> dead letter
  UnpackError          a batch of records cannot be unpacked        -> dead letters
  BrokerError          the broker refused or is not what is needed  exit code 1
    AbortedError       a transaction was aborted: nothing counts   exit code 1
    FencedError        another producer took the transactional id  exit code 1
    AccessError        TLS, user or password is refused             exit code 2
  NewerVersionError    a newer Syncline wrote what must be read     exit code 1
  MissingExtraError    an optional part is not installed            exit code 2
  ServiceMissingError  the service itself is not installed          exit code 2
  SetFailedError       the model fails on this set alone            -> dead letter
  NoAnswerError        the service stopped before the model spoke   acknowledge nothing
  ModelThreadError     the thread that runs the model has ended     exit code 1
  NotLiveError         a worker that should be started anew         exit code 1
  NotRecoverableError  the decision log does not say where it stood not ready
    MadeAnewError      a media topic was deleted and made anew      not ready
    AnotherGroupError  the log belongs to another consumer group    not ready
    MorePartitionsError  others count more partitions than this     not ready
  PartitionsChangedError  a worker was started with other partitions  exit code 1
  DemoError            a process of the demo has ended              exit code 1
"""

from __future__ import annotations


class SynclineError(Exception):
    """Base of all errors that Syncline raises on purpose."""

    exit_code = 1

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
    """The broker refused a request, cannot be reached, or is not set up as Syncline needs it."""


class NewerVersionError(SynclineError):
    """A newer Syncline wrote this, in a form that is not known here; passing over it would lose something."""


class AccessError(BrokerError):
    """The broker refuses this client, or its certificate cannot be trusted: a setting or a certificate is wrong."""

    exit_code = 2


class AbortedError(BrokerError):
    """A transaction was aborted: nothing that was sent in it counts, for anybody."""


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


class ServiceMissingError(SynclineError):
    """A command of the service was called where only the package for producers and consumers is installed."""

    exit_code = 2

    def __init__(self, command: str) -> None:
        super().__init__(f"{command} needs the service: run it in a clone of the repository, or from its image")
