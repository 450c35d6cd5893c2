"""The entries of the decision log and their MessagePack form (docs/design.md, "The decision log").

Each entry carries the `number` that its writer counted: a copy that arrives twice is known by it. Fields are only ever
added at the end, with a default (streams/decisions/versions.py).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams.decisions.versions import check_version, unreadable
from streams.join.lane_clock import LaneState
from streams.join.model import Decision


class Claim(msgspec.Struct, frozen=True, array_like=True, tag="claim"):
    """Whoever is assigned a partition appends one before it proposes anything.

    `worker` is unique for every owner of every process. `generation` is the consumer group's; `era` grows
    when generations have started anew because the group was deleted. A claim is renewed by its owner before
    each snapshot, so that a reader who goes backwards soon meets one.
    """

    worker: str
    generation: int
    era: int
    number: int

    @property
    def rank(self) -> tuple[int, int]:
        """Claims of a lower rank than the current one are ignored."""
        return self.era, self.generation


class Batch(msgspec.Struct, frozen=True, array_like=True, tag="batch"):
    """Decisions proposed together; `claim` is the offset of its writer's claim."""

    claim: int
    number: int
    decisions: list[Decision]


class ResolvedRun(msgspec.Struct, frozen=True, array_like=True):
    """Neighbouring records of one topic whose outcome is on the broker, though older ones are not acknowledged."""

    topic: str
    first_offset: int
    last_offset: int


class SnapshotPart(msgspec.Struct, frozen=True, array_like=True, tag="snapshot"):
    """One part of the state at the acknowledged offsets `at`; usable only if all `n_parts` are there.

    A reader who starts from it reads the log from `replay_from`, where the claim at `replay_claim_offset` was
    current: from there on stand all decisions that name an offset at or above `at`.
    `clocks` is `Clocks.export()`; `bounds` maps a stream to the bound of its last decision by timeout or pressure.
    `resolved`, since 1.1: what at or above `at` needs no second carrying out. A reader without it carries it out again.
    """

    claim: int
    number: int
    part: int
    n_parts: int
    at: dict[str, int]
    replay_from: int
    replay_claim_offset: int
    replay_claim: Claim | None
    clocks: list[LaneState]
    bounds: dict[str, int]
    resolved: list[ResolvedRun] = []


Entry = Claim | Batch | SnapshotPart

_decoder = msgspec.msgpack.Decoder(Entry)
_encoder = msgspec.msgpack.Encoder()


def encode_entry(entry: Entry) -> bytes:
    """An entry as MessagePack."""
    return _encoder.encode(entry)


class LogRecord(NamedTuple):
    """One record of the log as it was read; `version`: what its header says, None where it has none."""

    offset: int
    data: bytes
    version: bytes | None = None


def decode_entry(record: LogRecord) -> Entry | None:
    """The entry of one record; None for bytes that are none of ours, which every reader passes over.

    Bytes without a version that cannot be read are none of ours. Raises `NewerVersionError` where there is a version
    and the entry cannot be read: it may hold a decision, so nobody may pass over it.
    """
    if record.version is not None:
        check_version(record.version, record.offset)
    try:
        return _decoder.decode(record.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        if record.version is None:
            return None
        what = f"is of version {record.version.decode()} and cannot be read ({error})"
        raise unreadable(record.offset, what) from error
