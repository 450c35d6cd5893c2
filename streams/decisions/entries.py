"""The entries of the decision log, their MessagePack form and its version, and what a decision says of records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from streams.join.items import (
    MOVES_NO_WATERMARK,
    ClosedDecision,
    DeadLetterDecision,
    Decision,
    FailedDecision,
    Item,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)
from streams.join.lane_clock import LaneState
from syncline.errors import NewerVersionError

HEADER = "syncline_log_version"
MAJOR, MINOR = 1, 3
"""What this code writes. It reads every minor version of `MAJOR` and of the majors before it.

1.2 differs from 1.1 in results alone: conversions say more, and there are ones in sound. In 1.3 a claim names its
group, the settings that decide and the number of partitions, and a set says where its window ends.
"""
THIS_VERSION = f"{MAJOR}.{MINOR}"
WRITABLE_VERSIONS = ("1.2", THIS_VERSION)
"""What `decision_log_version` may be: the form of the release before, for as long as somebody may go back to it."""

_VERSION = re.compile(rb"([1-9][0-9]{0,3})\.([0-9]{1,4})")


def version_headers(version: str = THIS_VERSION) -> list[tuple[str, bytes]]:
    """The headers of every record of the log that is written in the form of `version`."""
    return [(HEADER, version.encode())]


def check_version(version: bytes, offset: int) -> None:
    """Raise `NewerVersionError` where the entry at `offset` is of a version that this code cannot read."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise unreadable(offset, f"says that it is of version {version[:20]!r}, which is none")
    if int(found[1]) > MAJOR:
        raise unreadable(offset, f"is of version {version.decode()}, and this worker reads {MAJOR}.x")


def unreadable(offset: int, what: str) -> NewerVersionError:
    """The error for the entry at `offset`; it says what to do."""
    return NewerVersionError(
        f"decisions: the entry at offset {offset} {what}: a newer Syncline wrote it; start workers of that release "
        "in place of this one. Nothing is decided here until then, and nothing is lost"
    )


_encoder = msgspec.msgpack.Encoder()


def encoded_bytes(thing: object) -> int:
    """By encoding it: names are of any alphabet, and numbers of any length."""
    return len(_encoder.encode(thing))


class FormerPlacement(msgspec.Struct, frozen=True, array_like=True):
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
    placed: tuple[FormerPlacement, ...] = ()

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
    `clocks` are the lanes that are remembered; `bounds` maps a stream to the bound of its last decision by timeout or
    pressure.
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


Key = tuple[str, int]
"""(topic, offset) of a record inside its partition number."""


def keys_of(decision: Decision) -> list[Key]:
    """The records that a decision ends or names, in its own order; none for `failed`, which names a set."""
    if isinstance(decision, SetDecision):
        return [(item.topic, item.offset) for item in decision.members]
    if isinstance(decision, UnfusedDecision | ClosedDecision):
        return [(decision.item.topic, decision.item.offset)]
    if isinstance(decision, DeadLetterDecision):
        return [(decision.topic, decision.offset)]
    if isinstance(decision, RunDecision):
        return [(decision.topic, offset) for offset in range(decision.first_offset, decision.last_offset + 1)]
    return []


def is_dead_letter(decision: Decision) -> bool:
    """Whether a decision says of single records that they cannot be used."""
    return isinstance(decision, DeadLetterDecision) or (
        isinstance(decision, RunDecision) and decision.outcome == "deadletter"
    )


def moves_nothing(decision: Decision) -> bool:
    """Whether the records of a decision left their lane's watermark where it was."""
    if isinstance(decision, UnfusedDecision):
        return decision.reason in MOVES_NO_WATERMARK
    return isinstance(decision, RunDecision) or (isinstance(decision, DeadLetterDecision) and decision.item is None)


def moving_items(decision: Decision) -> Sequence[Item]:
    """Items of a decision that moved their lane's watermark."""
    if isinstance(decision, SetDecision):
        return decision.members
    if isinstance(decision, ClosedDecision):
        return (decision.item,)
    if isinstance(decision, UnfusedDecision):
        return () if moves_nothing(decision) else (decision.item,)
    if isinstance(decision, DeadLetterDecision) and decision.item is not None:
        return (decision.item,)
    return ()


def covered_ms(decision: SetDecision, size_ms: int) -> tuple[int, int]:
    """What a set covers in ms since 1970; `size_ms`: the window's length where the decision does not say its end."""
    if decision.strategy == "tumbling":
        return decision.start_ms, decision.end_ms or decision.start_ms + size_ms
    return min(item.time_ms for item in decision.members), max(item.end_ms for item in decision.members)


def named_item(decision: Decision, index: int) -> Item | None:
    """The item of the record that a decision names in this place of `keys_of`, where the log tells it."""
    if isinstance(decision, SetDecision):
        return decision.members[index]
    return None if isinstance(decision, RunDecision | FailedDecision) else decision.item
