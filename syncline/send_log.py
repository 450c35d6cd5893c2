"""A producer's log of its sends, from which `syncline verify` judges afterwards whether the broker lost any.

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
    """One send of one event. `topic` has no prefix; `partition` and `offset` are -1 unless the outcome is `ok`.

    ok: the broker has it, and its transaction, if any, is committed. failed: the broker refused it, or its transaction
    was aborted. unknown: the answer was lost or late, so the event may be there or not.
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
    """Appends sends to a file as they end; a context manager.

    A line survives the process once `write` has returned; it may not survive the machine.

    Args:
        path (Path | str): the file; an existing one is continued.

    Raises:
        SettingsError: the file cannot be written.

    Example:
        >>> from syncline.send_log import Send, SendLog, read_send_log
        >>> with SendLog("sends.jsonl") as log:
        ...     log.write(Send(id="frame-1", source="urn:camera:7", stream="lobby", lane="image", topic="media.image",
        ...                    outcome="ok", partition=2, offset=17))
        >>> read_send_log("sends.jsonl")[0].offset
        17
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
        """Append one send."""
        self._file.write(self._encoder.encode(send) + b"\n")

    def close(self) -> None:
        """Close the file. May be called again."""
        self._file.close()


def send_of(event: MediaEvent, error: BaseException | None, partition: int = -1, offset: int = -1) -> Send:
    """Describe an event's send, which ended with an error or at a partition and offset."""
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
    """Classify a send by its error: `failed` only if the broker surely has no such record."""
    from aiokafka import errors  # reading a log needs no client

    refusals = (
        errors.InvalidTopicError,
        errors.MessageSizeTooLargeError,
        errors.RecordListTooLargeError,
        errors.TopicAuthorizationFailedError,
    )
    return "failed" if isinstance(error, (AbortedError, *refusals)) else "unknown"


def read_send_log(path: Path | str) -> list[Send]:
    """Read a file that `SendLog` wrote; skip a last line that a killed producer left unfinished.

    Args:
        path (Path | str): the file.

    Returns:
        list[Send]: the sends, in the order of their outcomes.

    Raises:
        SettingsError: the file cannot be read, or a line is not a send.
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
