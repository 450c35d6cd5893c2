"""The join's input, items, and its output, decisions.

An *item* is one event after decoding. A *decision* says what becomes of one or several records. Decisions are written
to the decision log (docs/design.md, "The decision log"), so these types are its wire format: add fields only at the
end, with a default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from syncline.wire.results import Outcome, SetReason, UnfusedReason

MOVES_NO_WATERMARK = frozenset({"late", "unexpected", "misrouted", "no_key", "key_mismatch", "clock"})
"""Reasons of decisions whose record changes neither its lane's watermark nor its remembered ids."""


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event after decoding, without its payload.

    `topic` has no prefix (`media.image`); with `offset` it names the record in its partition number. Times are integer
    ms since 1970: the item covers [time_ms, end_ms]. `id_hash` is the 8-byte hash of (source, id); `append_ms` is the
    broker's append time.
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
    """The members of one moment of one stream.

    `start_ms` is the time of the opener or pivot, or the window's start. `missing` are the lanes without a member.
    Members are in (lane order, time, offset) order.
    """

    stream: str
    strategy: str
    outcome: Outcome
    reason: SetReason
    start_ms: int
    members: tuple[Item, ...]
    missing: tuple[str, ...] = ()
    bound_ms: int = 0
    """After a decision by timeout or pressure: items of this stream below it are late. Otherwise 0."""
    open_members: tuple[int, ...] = ()
    """Indexes of members that may be in further sets (`share`); a ClosedDecision resolves them, not this set."""
    end_ms: int = 0
    """The window's end (`tumbling`, since 1.3). 0: by the settings of the worker that carries it out."""


class UnfusedDecision(msgspec.Struct, frozen=True, array_like=True, tag="unfused", gc=False):
    """A record in no set, and why; `late_by_ms` is set for the reason `late`."""

    item: Item
    reason: UnfusedReason
    late_by_ms: int = 0
    bound_ms: int = 0
    """As in SetDecision, if a set was given up (`require`) by timeout or pressure."""


class ClosedDecision(msgspec.Struct, frozen=True, array_like=True, tag="closed", gc=False):
    """A shared item (strategy `nearest`, `share=true`) that was in a set and can be in no other."""

    item: Item


class DeadLetterDecision(msgspec.Struct, frozen=True, array_like=True, tag="deadletter", gc=False):
    """A record that cannot be used, and why; `item` is set if its headers are valid (it moves its watermark)."""

    topic: str
    offset: int
    reason: str
    item: Item | None = None


class RunDecision(msgspec.Struct, frozen=True, array_like=True, tag="run", gc=False):
    """Consecutive records of one topic with one outcome that moves no watermark.

    Each offset in [first_offset, last_offset] counts as its own decision.
    """

    topic: str
    first_offset: int
    last_offset: int
    outcome: Literal["unfused", "deadletter"]
    reason: str


class FailedDecision(msgspec.Struct, frozen=True, array_like=True, tag="failed", gc=False):
    """A set that could not be carried out.

    `members` are its (topic, offset) pairs, which identify it in the log; `lost` are those whose record is gone.
    """

    members: tuple[tuple[str, int], ...]
    reason: str
    lost: tuple[tuple[str, int], ...] = ()


JoinDecision = SetDecision | UnfusedDecision | ClosedDecision
"""The decisions that the join makes."""

Decision = SetDecision | UnfusedDecision | ClosedDecision | DeadLetterDecision | RunDecision | FailedDecision
"""All decisions that a batch of the decision log can hold."""
