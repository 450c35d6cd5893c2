"""What a consumer hands out: records of the readable topics as typed results, and which of them are repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from syncline import contract as c
from syncline.converted import ConvertedAudio, ConvertedText, decode_converted, decode_converted_audio
from syncline.deadletters import DeadLetter, decode_dead_letter
from syncline.results import FusedResult, Unfused, check_version, decode_fused, decode_unfused

Result = FusedResult | ConvertedText | ConvertedAudio | Unfused | DeadLetter
_DECODE: dict[str, Callable[[bytes], Result]] = {
    c.FUSED: decode_fused,
    c.CONVERTED_TEXT: decode_converted,
    c.CONVERTED_AUDIO: decode_converted_audio,
    c.UNFUSED: decode_unfused,
}
READABLE_TOPICS = (*_DECODE, c.DEADLETTER)


class Received(NamedTuple):
    """A result and the record it came in: unprefixed topic, partition, offset, the broker's append time in ms."""

    result: Result
    topic: str
    partition: int
    offset: int
    append_ms: int


def read_record(topic: str, record: Any) -> Received:
    """A record of a readable topic (unprefixed) as what it holds.

    Raises ContractError where it does not keep to the contract, NewerVersionError where it is of a later one.
    """
    check_version(record.headers)
    if topic == c.DEADLETTER:
        result = decode_dead_letter(record.key, record.value, record.headers)
    else:
        result = _DECODE[topic](record.value or b"")
    return Received(result, topic, record.partition, record.offset, record.timestamp)


class Remembered:
    """The last `n_ids` results; about 200 bytes each."""

    def __init__(self, n_ids: int) -> None:
        self._n_ids = n_ids
        self._seen: dict[tuple[str, str], None] = {}  # keeps its order: the oldest goes first

    def is_repeat(self, received: Received) -> bool:
        """Whether it is among them; from now on it is."""
        key = (received.topic, received.result.id)
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > self._n_ids:
            del self._seen[next(iter(self._seen))]
        return False
