"""What the owner of a partition is given and what it asks for: records in, commands out."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from streams.decisions.resolved import NOT_NAMED, Kept
from streams.join.items import DeadLetterDecision, Item, RunDecision, SetDecision, UnfusedDecision

RecordOutcome = Literal["fused", "unfused", "deadletter", "lost", "settled", "handed_back"]
"""What became of a record in the hands of one owner. fused, unfused, deadletter: what was published of it. lost: gone
from its topic before its set was carried out. settled: published by an earlier owner. handed_back: not resolved when
the assignment ended; whoever is assigned takes it again."""


class Rejected(NamedTuple):
    """Why a record cannot join: a dead-letter reason and a sentence for people."""

    reason: str
    detail: str = ""


class Record(NamedTuple):
    """One record of a media topic, in offset order of its topic.

    `item` is there if its headers are valid; `rejected` if it goes to the dead letters; one of them always is.
    A rejected record whose reason is in `MOVES_NO_WATERMARK` has no item. `n_bytes` is what holding `payload` costs.
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
        """Given up once resolved, whatever still knows this."""
        self.before = self.after = -1
        """The offsets of the open records before and behind it in its topic; -1 for none."""
        self.kept: Kept | None = None
        """What is kept of records that were resolved between this one and the open one behind it."""
        self.log_offset = NOT_NAMED
        """Where in the log the first decision stands that names this record."""
        self.n_open = 0
        """Tasks that name this record and are not finished."""
        self.is_lost = is_lost
        """The record was deleted before the set that names it was carried out; only its place is held."""
        self.final = is_lost
        """A decision that ends this record has been read back."""
        self.on_its_way = False
        """Counted as proposed or decided: it will be resolved without further input."""
        self.outcome: RecordOutcome = "lost" if is_lost else "settled"
        """What counts once it is resolved; publishing says more."""
        self.moves = record.item is not None
        """Its item moves its lane's watermark."""

    @property
    def resolved(self) -> bool:
        """Its outcome is on the broker."""
        return self.record is None


TaskDecision = SetDecision | UnfusedDecision | DeadLetterDecision | RunDecision


class Task:
    """One confirmed decision being carried out, with the records that it names.

    A set is fused (`Commands.fuse`), then published when its turn in its stream has come (`Commands.publish`);
    everything else, runs as one task an offset, is published at once. `failed` set: publish the members that
    are here as dead letters instead. `records` are in the order of the decision's members; None is a lost one.
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
        """Its failure has been proposed: the reason."""
        self.failed: str | None = None
        """Its failure has been read back: the reason."""
        self.lost: tuple[tuple[str, int], ...] = ()
        self.places: list[InFlightRecord] = []
        """The places of lost members."""
        self.fused = False
        self.handed_over = False
        """Its turn has come: it is being published."""
        self.done = False
        """All of it was on the broker before this worker came."""

    @property
    def ready(self) -> bool:
        """Every member that can still come is here."""
        return self.n_missing == 0

    @property
    def is_set(self) -> bool:
        """Whether it is fused before it is published."""
        return isinstance(self.decision, SetDecision)


class Append(NamedTuple):
    """An entry for the decision log; answer with `on_appended(number, ok)`."""

    number: int
    data: bytes


class Commands:
    """What the owner wants done now. Whoever drives it carries these out in any order, `publish` in list order."""

    __slots__ = ("acknowledge", "append", "fuse", "publish", "read")

    def __init__(self) -> None:
        self.append: Append | None = None
        """To append to decisions[p]; one at a time, and the same one again after a failure."""
        self.fuse: list[Task] = []
        """Sets to run through the model; answer with `on_fused` or `on_failed`."""
        self.publish: list[Task] = []
        """Outputs to hand to the producer, in this order; answer with `on_published`."""
        self.acknowledge: dict[str, int] = {}
        """Per topic the next offset to be read after a restart."""
        self.read: frozenset[str] | None = None
        """The topics to read from now on, if that has changed."""
