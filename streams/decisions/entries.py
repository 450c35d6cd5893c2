"""The decision log's entries: their types, MessagePack form and version, and the records that a decision names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

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
WritableVersion = Literal["1.2", "1.3"]
"""The values of `decision_log_version`: the previous release's too, so that an operator can go back to it."""
WRITABLE_VERSIONS = get_args(WritableVersion)
THIS_VERSION: WritableVersion = "1.3"
MAJOR, MINOR = (int(part) for part in THIS_VERSION.split("."))
"""The version that this code writes. It reads every minor version of `MAJOR` and of earlier majors.

1.2 differs from 1.1 only in results: conversions have more fields and may be sound. In 1.3 a claim names its group, the
deciding settings and the number of partitions, and a set names its window's end.
"""

_VERSION = re.compile(rb"([1-9][0-9]{0,3})\.([0-9]{1,4})")


def version_headers(version: str = THIS_VERSION) -> list[tuple[str, bytes]]:
    """Return the headers of a log record written in this version."""
    return [(HEADER, version.encode())]


def check_version(version: bytes, offset: int) -> None:
    """Raise `NewerVersionError` if this code cannot read the version of the entry at `offset`."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise unreadable(offset, f"says that it is of version {version[:20]!r}, which is none")
    if int(found[1]) > MAJOR:
        raise unreadable(offset, f"is of version {version.decode()}, and this worker reads {MAJOR}.x")


def unreadable(offset: int, what: str) -> NewerVersionError:
    """Make the error for the entry at `offset`; it says what to do."""
    return NewerVersionError(
        f"decisions: the entry at offset {offset} {what}: a newer Syncline wrote it; start workers of that release "
        "in place of this one. Nothing is decided here until then, and nothing is lost"
    )


_encoder = msgspec.msgpack.Encoder()


def encoded_bytes(thing: object) -> int:
    """Return the encoded size; it cannot be estimated, since names and numbers vary in length."""
    return len(_encoder.encode(thing))


class FormerPlacement(msgspec.Struct, frozen=True, array_like=True):
    """A former number of partitions, and by topic the offset below which records may have been placed by it.

    Producers learn of new partitions one by one, so below the offset there are records placed by either number; both
    are right.
    """

    n_partitions: int
    below: dict[str, int]


class Claim(msgspec.Struct, frozen=True, array_like=True, tag="claim"):
    """A fencing token: an owner appends one before it proposes anything.

    `worker` is unique for every owner of every process. `generation` is the consumer group's; `era` increases when the
    group was deleted and generations started again. The owner renews its claim before each snapshot, so that a reader
    that goes backwards soon finds one.

    Since 1.3 (empty in earlier claims): `group` is the consumer group; `take_over` another group whose log the owner
    was told to take over; `fingerprint` that of the owner's deciding settings; `n_partitions` the topics' number of
    partitions; `placed` the former numbers.
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
        """The rank; a claim of a lower rank than the current one is ignored."""
        return self.era, self.generation


class Batch(msgspec.Struct, frozen=True, array_like=True, tag="batch"):
    """Decisions proposed together; `claim` is the offset of the writer's claim."""

    claim: int
    number: int
    decisions: list[Decision]


class ResolvedRun(msgspec.Struct, frozen=True, array_like=True):
    """Consecutive records of one topic whose outcome is on the broker before older ones are acknowledged."""

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
"""The number of fields of a claim and of a set in 1.2, with their tag."""


def encode_entry(entry: Entry, version: str = THIS_VERSION) -> bytes:
    """Encode an entry as MessagePack in one of `WRITABLE_VERSIONS`."""
    return _encoder.encode(entry if version == THIS_VERSION else _as_1_2(entry))


def _as_1_2(entry: Entry) -> list[Any]:
    """Drop the fields that 1.3 added to claims and sets."""
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
    """One record of the log as read; `version` is its header's, None without one."""

    offset: int
    data: bytes
    version: bytes | None = None


def decode_entry(record: LogRecord) -> Entry | None:
    """Decode a record's entry; None for foreign bytes (unreadable and without a version), which all readers skip.

    Raises `NewerVersionError` for an unreadable entry with a version: it may be a decision, so nobody may skip it.
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
    """Return the records that a decision names, in its order; none for `failed`, which names a set."""
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
    """Tell whether a decision rejects single records."""
    return isinstance(decision, DeadLetterDecision) or (
        isinstance(decision, RunDecision) and decision.outcome == "deadletter"
    )


def moves_nothing(decision: Decision) -> bool:
    """Tell whether a decision's records did not move their lane's watermark."""
    if isinstance(decision, UnfusedDecision):
        return decision.reason in MOVES_NO_WATERMARK
    return isinstance(decision, RunDecision) or (isinstance(decision, DeadLetterDecision) and decision.item is None)


def moving_items(decision: Decision) -> Sequence[Item]:
    """Return the items of a decision that moved their lane's watermark."""
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
    """Return a set's start and end, ms since 1970; `size_ms` is the window's length if the decision has no end."""
    if decision.strategy == "tumbling":
        return decision.start_ms, decision.end_ms or decision.start_ms + size_ms
    return min(item.time_ms for item in decision.members), max(item.end_ms for item in decision.members)


def named_item(decision: Decision, index: int) -> Item | None:
    """Return the item of the record at this index of `keys_of`, if the log has it."""
    if isinstance(decision, SetDecision):
        return decision.members[index]
    return None if isinstance(decision, RunDecision | FailedDecision) else decision.item
