"""What the join takes and what it gives: items and decisions.

An *item* is one event after decoding. A *decision* is what became of one or several records. Decisions
are also the entries of the decision log (docs/design.md, "The decision log"), so these types are its
wire format: fields are only ever added at the end, with a default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from syncline.wire.results import Outcome, SetReason, UnfusedReason

MOVES_NO_WATERMARK = frozenset({"late", "unexpected", "misrouted", "no_key", "key_mismatch", "clock"})
"""Reasons of decisions whose record leaves its lane's watermark and memory of duplicates untouched."""


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event after decoding, without its payload.

    `topic` is the unprefixed media topic (`media.image`); with `offset` it names the record inside its
    partition number. Times are integer milliseconds since 1970: the item covers [time_ms, end_ms].
    `id_hash` is the 8-byte hash of (source, id); `append_ms` is when the broker appended the record.
    """

    stream: str
    lane: str
    topic: str
    offset: int
    time_ms: int
    end_ms: int
    id_hash: int
    append_ms: int


class SetDecision(msgspec.Struct, frozen=True, array_like=True, tag="set", gc=False):
    """Members that belong to one moment of one stream.

    `start_ms` is the time of the opener, the pivot, or the window's start. `missing` are the lanes that
    the set waited for in vain. Members come in (lane order, time, offset) order.
    """

    stream: str
    strategy: str
    outcome: Outcome
    reason: SetReason
    start_ms: int
    members: tuple[Item, ...]
    missing: tuple[str, ...] = ()
    bound_ms: int = 0
    """After a decision by timeout or pressure: items of this stream below it are late (else 0)."""
    open_members: tuple[int, ...] = ()
    """Indexes of members that may serve further sets (`share`): a ClosedDecision ends them, not this set."""
    end_ms: int = 0
    """Where the window ends (`tumbling`, since 1.3); 0: as the settings of whoever carries it out say."""


class UnfusedDecision(msgspec.Struct, frozen=True, array_like=True, tag="unfused", gc=False):
    """A record that is in no set, and why; `late_by_ms` where the reason is `late`."""

    item: Item
    reason: UnfusedReason
    late_by_ms: int = 0
    bound_ms: int = 0
    """As in SetDecision, where a set was given up (`require`) by timeout or pressure."""


class ClosedDecision(msgspec.Struct, frozen=True, array_like=True, tag="closed", gc=False):
    """A shared item (strategy `nearest`, `share=true`) that was in a set and can be in no further one."""

    item: Item


class DeadLetterDecision(msgspec.Struct, frozen=True, array_like=True, tag="deadletter", gc=False):
    """A record that cannot be used, and why; `item` where its headers were valid (it moves its watermark)."""

    topic: str
    offset: int
    reason: str
    item: Item | None = None


class RunDecision(msgspec.Struct, frozen=True, array_like=True, tag="run", gc=False):
    """Neighbouring records of one topic with one outcome that moves no watermark, as a range of offsets.

    Each offset in [first_offset, last_offset] counts as a decision of its own.
    """

    topic: str
    first_offset: int
    last_offset: int
    outcome: Literal["unfused", "deadletter"]
    reason: str


class FailedDecision(msgspec.Struct, frozen=True, array_like=True, tag="failed", gc=False):
    """A set that could not be carried out: `members` are its (topic, offset) pairs, its identity in the log.

    `lost` are those of them whose record is gone.
    """

    members: tuple[tuple[str, int], ...]
    reason: str
    lost: tuple[tuple[str, int], ...] = ()


JoinDecision = SetDecision | UnfusedDecision | ClosedDecision
"""What the join itself decides."""

Decision = SetDecision | UnfusedDecision | ClosedDecision | DeadLetterDecision | RunDecision | FailedDecision
"""Everything that the decision log can hold inside a batch."""
