"""The entries of the decision log and their MessagePack form (docs/design.md, "The decision log").

Each entry carries the `number` that its writer counted: a copy that arrives twice is known by it. Fields are only ever
added at the end, with a default (streams/decisions/versions.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from streams.decisions.versions import THIS_VERSION, check_version, unreadable
from streams.join.lane_clock import LaneState
from streams.join.model import Decision


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """Of each topic, the records below an offset may have been placed by another number of partitions than the claim's.

    A producer learns of new partitions when it asks, so that below the offset there are records by both numbers: those
    that lie where either has them are in their place.
    """

    n_partitions: int
    below: dict[str, int]


class Claim(msgspec.Struct, frozen=True, array_like=True, tag="claim"):
    """Whoever is assigned a partition appends one before it proposes anything.

    `worker` is unique for every owner of every process. `generation` is the consumer group's; `era` grows
    when generations have started anew because the group was deleted. A claim is renewed by its owner before
    each snapshot, so that a reader who goes backwards soon meets one.
    Since 1.3, and empty in claims of before: `group` is the consumer group, `take_over` another one whose log its
    owner was told to take over; `fingerprint` is that of the settings by which its owner decides; `n_partitions` is
    how many partitions the topics had, `placed` says where that had been another number.
    """

    worker: str
    generation: int
    era: int
    number: int
    group: str = ""
    take_over: str = ""
    fingerprint: str = ""
    n_partitions: int = 0
    placed: tuple[Placed, ...] = ()

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
_N_CLAIM, _N_SET = 5, 10
"""Fields of a claim and of a set in 1.2, their tag included."""


def encode_entry(entry: Entry, version: str = THIS_VERSION) -> bytes:
    """An entry as MessagePack, in the form that `version` (one of `WRITABLE_VERSIONS`) gave it."""
    return _encoder.encode(entry if version == THIS_VERSION else _as_1_2(entry))


def _as_1_2(entry: Entry) -> list[Any]:
    """Without what 1.3 has put at the end of claims and sets."""
    values: list[Any] = msgspec.to_builtins(entry)
    if isinstance(entry, Claim):
        return values[:_N_CLAIM]
    if isinstance(entry, Batch):
        *head, decisions = values
        return [*head, [one[:_N_SET] if one[0] == "set" else one for one in decisions]]
    at = 1 + SnapshotPart.__struct_fields__.index("replay_claim")
    values[at] = values[at] and values[at][:_N_CLAIM]
    return values


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
