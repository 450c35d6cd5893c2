"""The input and output of a partition's owner: records and commands."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from streams.decisions.resolved import NOT_NAMED, Kept
from streams.join.items import DeadLetterDecision, Item, RunDecision, SetDecision, UnfusedDecision

RecordOutcome = Literal["fused", "unfused", "deadletter", "lost", "settled", "handed_back"]
"""What became of a record under one owner. fused, unfused, deadletter: what was published of it. lost: gone
from its topic before its set was carried out. settled: published by an earlier owner. handed_back: not resolved when
the assignment ended; whoever is assigned takes it again."""


class Rejected(NamedTuple):
    """Why a record cannot join: a dead-letter reason, and a sentence for people."""

    reason: str
    detail: str = ""


class Record(NamedTuple):
    """One record of a media topic.

    `item` is set if its headers are valid, `rejected` if it becomes a dead letter; at least one is set. A rejected
    record with a reason in `MOVES_NO_WATERMARK` has no item. `n_bytes` is the memory that `payload` takes.
    """

    offset: int
    item: Item | None
    rejected: Rejected | None
    n_bytes: int
    payload: Any


class InFlightRecord:
    """One record between its arrival and its outcome on the broker."""

    __slots__ = (
        "after",
        "before",
        "final",
        "is_lost",
        "item",
        "kept",
        "log_offset",
        "moves",
        "n_open",
        "offset",
        "on_its_way",
        "outcome",
        "record",
        "topic",
    )

    def __init__(self, topic: str, record: Record, *, is_lost: bool = False) -> None:
        self.topic, self.offset, self.item = topic, record.offset, record.item
        self.record: Record | None = record
        """None once resolved, even while this object is still referenced."""
        self.before = self.after = -1
        """The offsets of the open records before and after it in its topic; -1 for none."""
        self.kept: Kept | None = None
        """What is kept of resolved records between this one and the next open one."""
        self.log_offset = NOT_NAMED
        """The log offset of the first decision that names this record."""
        self.n_open = 0
        """The number of unfinished tasks that name this record."""
        self.is_lost = is_lost
        """Whether the record was deleted before its set was carried out, so that only its place is held."""
        self.final = is_lost
        """Whether a decision that ends this record has been read back."""
        self.on_its_way = False
        """Whether it is counted as proposed or decided: it will be resolved without further input."""
        self.outcome: RecordOutcome = "lost" if is_lost else "settled"
        """What it is counted as once resolved; publishing may change it."""
        self.moves = record.item is not None
        """Whether its item moves its lane's watermark."""

    @property
    def resolved(self) -> bool:
        """Whether its outcome is on the broker."""
        return self.record is None


TaskDecision = SetDecision | UnfusedDecision | DeadLetterDecision | RunDecision


class Task:
    """One confirmed decision being carried out, with the records that it names.

    A set is fused (`Commands.fuse`), then published in its stream's order (`Commands.publish`). Everything else is
    published at once; a run is one task an offset. If `failed` is set, publish the members that are here as dead
    letters instead. `records` are in the order of the decision's members; a lost one is None.
    """

    __slots__ = (
        "decision",
        "done",
        "failed",
        "failing",
        "fused",
        "handed_over",
        "keys",
        "log_offset",
        "lost",
        "n_missing",
        "places",
        "records",
    )

    def __init__(self, decision: TaskDecision, keys: list[tuple[str, int]], log_offset: int) -> None:
        self.decision, self.keys, self.log_offset = decision, keys, log_offset
        self.records: list[InFlightRecord | None] = [None] * len(keys)
        self.n_missing = len(keys)
        self.failing: str | None = None
        """The reason of a proposed failure."""
        self.failed: str | None = None
        """The reason of a failure that was read back."""
        self.lost: tuple[tuple[str, int], ...] = ()
        self.places: list[InFlightRecord] = []
        """The places of lost members."""
        self.fused = False
        self.handed_over = False
        """Whether it is being published."""
        self.done = False
        """Whether an earlier owner has published it."""

    @property
    def ready(self) -> bool:
        """Whether every member that can still come is here."""
        return self.n_missing == 0

    @property
    def is_set(self) -> bool:
        """Whether it has to be fused before it is published."""
        return isinstance(self.decision, SetDecision)


class Append(NamedTuple):
    """An entry for the decision log. Answer with `on_appended(number, ok)`."""

    number: int
    data: bytes


class Commands:
    """What the driver has to do now, in any order; `publish` in list order."""

    __slots__ = ("acknowledge", "append", "fuse", "publish", "read")

    def __init__(self) -> None:
        self.append: Append | None = None
        """The entry to append to decisions[p]; one at a time, and the same again after a failure."""
        self.fuse: list[Task] = []
        """Sets to run through the model. Answer with `on_fused` or `on_failed`."""
        self.publish: list[Task] = []
        """Tasks whose outputs go to the producer, in this order. Answer with `on_published`."""
        self.acknowledge: dict[str, int] = {}
        """By topic, the next offset to read after a restart."""
        self.read: frozenset[str] | None = None
        """The topics to read from now on; None without a change."""
