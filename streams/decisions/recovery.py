"""Recovers the state at the committed offsets from a decision log, reading no more of it than needed.

`recover` is a generator without I/O: it yields `ReadLog` requests and is sent the entries.

    log   .... claim ... batches ... claim  snapshot  batches ... end
                  ^ replay_from             ^ newest usable
    read backwards, in chunks, until the newest snapshot with `at` at or below the committed offsets is whole and its
    `replay_from` is reached; then apply the entries forwards from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from streams.decisions.entries import (
    Batch,
    Claim,
    Key,
    LogRecord,
    ResolvedRun,
    SnapshotPart,
    decode_entry,
    moving_items,
)
from streams.decisions.in_flight import InFlight
from streams.decisions.ownership import LogValidator
from streams.join.items import Decision, Item
from syncline.errors import SynclineError

CHUNK_ENTRIES = 500
STEP_US = 15_000
"""Work between two turns of the event loop, in us: a chunk may hold 250,000 decisions."""
_DECODED_BYTES_A_US = 30
US_A_KEY = 15
"""Cost of confirming a decision for each record that it names, in us."""


class NotRecoverableError(SynclineError):
    """The decision log lacks what the committed offsets need; the worker is not ready and says why."""


class MadeAnewError(NotRecoverableError):
    """The log names other records than a media topic has: the topic was deleted and created again."""

    def __init__(self, topic: str, finding: str) -> None:
        super().__init__(
            f"{topic} was deleted and created again: {finding}. Nothing of this partition is read, because decisions "
            "on the former records would be applied to these. Stop all workers, delete the consumer group and the "
            "topic decisions, create that with `syncline topics create`, start again: everything in the media topics "
            "is then processed from the beginning"
        )


class AnotherGroupError(NotRecoverableError):
    """The log belongs to another consumer group: two groups would each decide every record."""

    def __init__(self, theirs: str, ours: str) -> None:
        super().__init__(
            f"decisions: the log belongs to consumer group {theirs!r}, and this worker is of group {ours!r}. Two "
            "groups on one topic prefix would each decide every record: give one of them a topic_prefix of its own. "
            f"If group {theirs!r} will not come back, start with --take-over {theirs}"
        )


class ReadLog(NamedTuple):
    """A request for all entries with start <= offset < stop, in offset order.

    An empty one (start = stop) only lets other tasks run.
    """

    start: int
    stop: int


class Recovered(NamedTuple):
    """The result: the view at the log's end, the snapshot (None: no snapshot), and the valid decisions since."""

    view: LogValidator
    snapshot: list[SnapshotPart] | None
    decisions: list[tuple[int, Decision]]
    """(log offset, decision), in log order."""
    claims: dict[int, Claim]
    """The claims that were current, by their offset."""
    newest_claims: tuple[Claim, ...] = ()
    """The newest claim under which something valid was written, and all later ones. The later owners may not have read
    the log to its end, so their claims may lack what earlier ones say."""
    newest_at: Mapping[str, int] = MappingProxyType({})
    """By topic, the offset below which all was resolved at the newest snapshot; empty without one."""
    checkpoint: Sequence[Item] = ()
    """The items that moved their lane between the snapshot's and the committed offsets, in offset order by topic."""

    @property
    def resolved(self) -> list[ResolvedRun]:
        """Return the snapshot's runs of records at or above its offsets that need not be carried out again."""
        return [run for part in self.snapshot or () for run in part.resolved]


Entry = Batch | Claim | SnapshotPart | None
Numbered = tuple[int, Entry]
"""An entry and its offset."""
T = TypeVar("T")


def in_steps(things: Iterable[T], do: Callable[[T], int], at: int = 0) -> Generator[ReadLog, list[LogRecord], None]:
    """Call `do`, which returns its cost in us, on each thing; yield an empty request at `at` after each `STEP_US`."""
    cost_us = 0
    for thing in things:
        cost_us += do(thing)
        if cost_us >= STEP_US:
            cost_us = 0
            yield ReadLog(at, at)


class _ReadBack:
    """The entries read so far, from `low` to the log's end, each parsed once, and their snapshots.

        log    ......  claim 7   batch   batch   claim 9   snapshot (claim 9) ...
               not read          unsure          sure: the snapshot refers to claim 9

    Only an owner with a current claim writes batches and snapshots, so a claim that one of them refers to is sure.
    Entries before the first sure claim are unsure until an earlier sure one has been read.
    """

    def __init__(self, committed: Mapping[str, int], log_end: int) -> None:
        self._committed = committed
        self._chunks: deque[list[Numbered]] = deque()
        self._unsure: deque[list[Numbered]] = deque()
        self._referred: set[int] = set()
        self.low = log_end
        self.snapshots: list[list[SnapshotPart]] = []
        """Complete and surely valid snapshots, newest first, each as its parts."""
        self.usable: list[list[SnapshotPart]] = []
        """Those at or below the committed offsets."""

    def take(self, start: int, chunk: list[LogRecord]) -> Generator[ReadLog, list[LogRecord], None]:
        """Add the entries from `start` up to those read before."""
        entries: list[Numbered] = []

        def decode(record: LogRecord) -> int:
            entries.append((record.offset, decode_entry(record)))
            return 1 + len(record.data) // _DECODED_BYTES_A_US

        yield from in_steps(chunk, decode, start)
        self.low = start
        self._chunks.appendleft(entries)
        yield from self._look_for_snapshots(entries)

    def _look_for_snapshots(self, entries: list[Numbered]) -> Generator[ReadLog, list[LogRecord], None]:
        self._referred.update(entry.claim for _, entry in entries if isinstance(entry, Batch | SnapshotPart))
        sure = (n for n, (offset, entry) in enumerate(entries) if isinstance(entry, Claim) and offset in self._referred)
        first = 0 if self.low == 0 else next(sure, None)
        if first is None:
            self._unsure.appendleft(entries)
            return
        found = _Snapshots()
        yield from in_steps(chain(islice(entries, first, None), *self._unsure), found.take, self.low)
        self._unsure = deque([entries[:first]])
        newest_first = found.whole[::-1]
        self.snapshots += newest_first
        self.usable += [parts for parts in newest_first if _is_at_or_below(parts[0].at, self._committed)]

    def entries(self, start: int = 0) -> Iterator[Numbered]:
        """Yield the entries from offset `start` on, in offset order."""
        return (
            numbered
            for chunk in self._chunks
            if chunk and chunk[-1][0] >= start
            for numbered in chunk
            if numbered[0] >= start
        )


class _Snapshots:
    """The complete snapshots among entries that begin with a sure claim, oldest first."""

    def __init__(self) -> None:
        self.whole: list[list[SnapshotPart]] = []
        self._view = LogValidator()
        self._parts: list[SnapshotPart] = []

    def take(self, numbered: Numbered) -> int:
        """Take the next entry; return its cost in us."""
        offset, entry = numbered
        if self._view.apply(offset, entry) == "valid" and isinstance(entry, SnapshotPart):
            if entry.part == 0:
                self._parts = []
            if entry.part == len(self._parts):
                self._parts.append(entry)
            else:
                self._parts = []
            if self._parts and len(self._parts) == entry.n_parts:
                self.whole.append(self._parts)
                self._parts = []
        return 1


def recover(
    committed: Mapping[str, int],
    log_start: int,
    log_end: int,
    fresh: Collection[str] = (),
) -> Generator[ReadLog, list[LogRecord], Recovered]:
    """Read backwards from `log_end` as far as needed.

    committed: by media topic, the next offset to read. fresh: topics without a committed offset, read from their start.
    Empty requests come between the others, so that no step takes long. Raises `NotRecoverableError` if the log was cut
    or emptied beside committed offsets above 0, and `NewerVersionError` if a newer version wrote an entry.
    """
    read = _ReadBack(committed, log_end)
    while read.low > log_start:
        start = max(log_start, read.low - CHUNK_ENTRIES)
        chunk = yield ReadLog(start, read.low)
        yield from read.take(start, chunk)
        # Any usable snapshot suffices; prefer the newest. If the log was cut above its `replay_from`, try an older one:
        # an older snapshot may need less of the log, depending on the retention of the media topics.
        wanted = read.usable[:1] if read.low > log_start else read.usable
        newest = next((parts for parts in wanted if parts[0].replay_from >= read.low), None)
        if newest is not None:
            first = newest[0]
            view = LogValidator(first.replay_from, first.replay_claim_offset, first.replay_claim)
            return (yield from _fold(view, newest, read, committed, log_end))
    _check_the_start(committed, log_start, fresh)
    recovered = yield from _fold(LogValidator(), None, read, committed, log_end)
    if not recovered.decisions and any(offset for topic, offset in committed.items() if topic not in fresh):
        raise NotRecoverableError(
            f"decisions: the log holds no decision, but offsets are committed up to {dict(committed)}: "
            "it was deleted or emptied; reset the consumer group to start over"
        )
    return recovered


def _check_the_start(committed: Mapping[str, int], log_start: int, fresh: Collection[str]) -> None:
    if log_start > 0:
        anew = f", or of {', '.join(sorted(fresh))} one was deleted and created again" if fresh else ""
        raise NotRecoverableError(
            f"decisions: the log starts at offset {log_start} and holds no snapshot for the committed offsets "
            f"{dict(committed)}: its retention is shorter than the media topics'{anew}"
        )


def _is_at_or_below(offsets: Mapping[str, int], committed: Mapping[str, int]) -> bool:
    return all(at <= committed.get(topic, 0) for topic, at in offsets.items())


def _fold(
    view: LogValidator, snapshot: list[SnapshotPart] | None, read: _ReadBack, committed: Mapping[str, int], log_end: int
) -> Generator[ReadLog, list[LogRecord], Recovered]:
    decisions: list[tuple[int, Decision]] = []
    checkpoint: dict[Key, Item] = {}
    claims: dict[int, Claim] = {view.claim_offset: view.claim} if view.claim else {}
    newest = [view.claim] if view.claim else []
    at = snapshot[0].at if snapshot else {}

    def take(numbered: Numbered) -> int:
        offset, entry = numbered
        verdict = view.apply(offset, entry)
        if verdict == "claim" and isinstance(entry, Claim):
            claims[offset] = entry
            newest.append(entry)
        elif verdict == "valid":
            del newest[:-1]
        if verdict == "valid" and isinstance(entry, Batch):
            decisions.extend((offset, decision) for decision in entry.decisions)
            for item in (item for decision in entry.decisions for item in moving_items(decision)):
                if at.get(item.topic, 0) <= item.offset < committed[item.topic]:
                    checkpoint[item.topic, item.offset] = item
            return 1 + 2 * len(entry.decisions)
        return 1

    yield from in_steps(read.entries(view.next_offset), take, read.low)
    view.next_offset = log_end
    newest_at = read.snapshots[0][0].at if read.snapshots else {}
    in_order = [checkpoint[key] for key in sorted(checkpoint)]
    return Recovered(view, snapshot, decisions, claims, tuple(newest), newest_at, in_order)


SURE_AFTER_MS = 2_000
"""How long every answer must agree: before its first fetch the embedded broker may tell too low a mark."""


class TopicEnds:
    """Checks the high watermarks of one partition number's topics. Times are the owner's monotonic clock."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._owning_since_ms = 0
        self._short_since_ms: dict[str, int] = {}

    def start(self, now_ms: int) -> None:
        """Start when the claim was read back: no other owner decides on later records."""
        self._owning_since_ms = now_ms
        self._short_since_ms.clear()

    def check(self, topic: str, high_water: int, asked_ms: int, *, awaited: bool) -> None:
        """Take the high watermark asked for at `asked_ms`; `awaited`: a decision waits for a record of `topic`.

        Raises `MadeAnewError` if everything below it is here and the awaited record is not.
        """
        if not awaited or asked_ms < self._owning_since_ms or self._in_flight.topics[topic].position < high_water:
            self._short_since_ms.pop(topic, None)
        elif asked_ms - self._short_since_ms.setdefault(topic, asked_ms) >= SURE_AFTER_MS:
            raise MadeAnewError(topic, f"it ends at offset {high_water}, and the log names a record beyond")
