"""A producer's own record of its sends, so that somebody can judge afterwards whether the broker kept its word.

One JSON object a line, written when the outcome of a send is known:

    {"id":"frame-1","source":"urn:camera:7","stream":"lobby","lane":"image","topic":"media.image","outcome":"ok",
     "partition":2,"offset":17}

`syncline produce --send-log FILE` writes one, `syncline verify --send-log FILE` judges it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Literal, Self

import msgspec

from syncline.errors import AbortedError, SettingsError
from syncline.wire.events import MediaEvent

SendOutcome = Literal["ok", "failed", "unknown"]


class Send(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One send of one event. `topic` is unprefixed; `partition` and `offset` are -1 unless the outcome is `ok`.

    ok: the broker acknowledged it at that place, and the transaction too that it was in, if any. failed: the broker
    refused it, or its transaction was aborted. unknown: no answer came in time, or
    the connection broke: the event may be there or not.
    """

    id: str
    source: str
    stream: str
    lane: str
    topic: str
    outcome: SendOutcome
    partition: int = -1
    offset: int = -1
    error: str = ""


class SendLog:
    """Writes sends to a file as they end; a context manager. An existing file is continued.

    Each line is in the operating system's hands when `write` returns: it outlives the process, not the machine.
    """

    def __init__(self, path: Path | str) -> None:
        self._encoder = msgspec.json.Encoder()
        try:
            self._file: IO[bytes] = Path(path).open("ab", buffering=0)  # noqa: SIM115 (closed by `close`)
        except OSError as error:
            raise SettingsError("send log", str(path), f"a file that can be written ({error})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, send: Send) -> None:
        """Add one send."""
        self._file.write(self._encoder.encode(send) + b"\n")

    def close(self) -> None:
        """Close the file; again does nothing."""
        self._file.close()


def send_of(event: MediaEvent, error: BaseException | None, partition: int = -1, offset: int = -1) -> Send:
    """How the send of an event ended: with an error, or at a place."""
    return Send(
        id=event.id,
        source=event.source,
        stream=event.stream,
        lane=event.lane,
        topic=event.topic,
        outcome="ok" if error is None else outcome_of(error),
        partition=partition,
        offset=offset,
        error="" if error is None else repr(error),
    )


def outcome_of(error: BaseException) -> SendOutcome:
    """What is known of a send that ended with this error: `failed` only where the broker surely has no such record."""
    from aiokafka import errors  # whoever only reads a log needs no client

    refusals = (
        errors.InvalidTopicError,
        errors.MessageSizeTooLargeError,
        errors.RecordListTooLargeError,
        errors.TopicAuthorizationFailedError,
    )
    return "failed" if isinstance(error, (AbortedError, *refusals)) else "unknown"


def read_send_log(path: Path | str) -> list[Send]:
    """All sends of a file that `SendLog` wrote; what a killed producer left of its last line is passed over.

    Raises `SettingsError` where the file cannot be read or a line is none of a send log.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SettingsError("send log", str(path), f"a file that can be read ({error})") from error
    return list(_decode(str(path), data[: data.rfind(b"\n") + 1].splitlines()))


def _decode(path: str, lines: Iterable[bytes]) -> Iterable[Send]:
    decoder = msgspec.json.Decoder(Send)
    for number, line in enumerate(lines, start=1):
        try:
            yield decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SettingsError("send log", f"{path} line {number}", f"one send a line ({error})") from error
