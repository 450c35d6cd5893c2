"""From a decision log to the state at the committed offsets, without reading more of the log than needed.

`recover` is a generator without I/O: it yields `ReadLog` requests and is sent the entries between.

    log   .... claim ... batches ... claim  snapshot  batches ... end
                  ^ replay_from             ^ newest usable
    reading goes backwards, in chunks, until the newest snapshot whose `at` lies at or below the committed offsets
    is whole and its `replay_from` is reached; then what was read is folded forwards from there.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from streams.decisions.entries import Batch, Claim, LogRecord, ResolvedRun, SnapshotPart, decode_entry
from streams.decisions.rules import ALL_RULES, Rules
from streams.decisions.view import LogView
from streams.join.model import Decision
from syncline.errors import SynclineError

CHUNK_ENTRIES = 500


class NotRecoverableError(SynclineError):
    """The decision log does not hold what the committed offsets need; the worker is not ready, and says why."""


class MadeAnewError(NotRecoverableError):
    """The log speaks of other records than a media topic holds: the topic was deleted and made anew."""

    def __init__(self, topic: str, finding: str) -> None:
        super().__init__(
            f"{topic} was deleted and made anew: {finding}. Nothing of this partition is read, because decisions on "
            "the former records would be taken for decisions on these. Stop all workers, delete the consumer group "
            "and the topic decisions, make that one anew with `syncline topics create`, start again: everything that "
            "the media topics hold is then judged from the beginning"
        )


class AnotherGroupError(NotRecoverableError):
    """The log belongs to another consumer group: two groups would each decide every record."""

    def __init__(self, theirs: str, ours: str) -> None:
        super().__init__(
            f"decisions: the log belongs to consumer group {theirs!r}, and this worker is of group {ours!r}. Two "
            "groups on one topic prefix would each decide every record: give one of them a topic_prefix of its own. "
            f"Where group {theirs!r} is gone for good, start with --take-over {theirs}"
        )


class ReadLog(NamedTuple):
    """A request for all entries with start <= offset < stop, in offset order."""

    start: int
    stop: int


class Recovered(NamedTuple):
    """What the log says: the view at its end, the snapshot (None: from nothing), and the valid decisions since."""

    view: LogView
    snapshot: list[SnapshotPart] | None
    decisions: list[tuple[int, Decision]]
    """(log offset, decision), in log order."""
    claims: dict[int, Claim]
    """The claims that were current, by their offset."""
    newest_claims: tuple[Claim, ...] = ()
    """From the newest one on under which something valid was written. The owners of those behind it may not have read
    the log to its end, and so do not say what it said before them."""
    newest_at: Mapping[str, int] = MappingProxyType({})
    """Per topic an offset below which all was resolved when the newest snapshot was written; empty without one."""

    @property
    def resolved(self) -> list[ResolvedRun]:
        """What the snapshot says of records at or above its offsets that need no second carrying out."""
        return [run for part in self.snapshot or () for run in part.resolved]


Entries = list[tuple[int, Batch | Claim | SnapshotPart | None]]


def recover(
    committed: Mapping[str, int],
    log_start: int,
    log_end: int,
    rules: Rules = ALL_RULES,
    fresh: Collection[str] = (),
) -> Generator[ReadLog, list[LogRecord], Recovered]:
    """Read backwards from `log_end` as far as needed; `committed` is per media topic the next offset to be read.

    `fresh`: topics without a committed offset, which are read from where they begin. Raises `NotRecoverableError`
    where the log was cut off or emptied beside committed offsets above 0, and `NewerVersionError` where a newer version
    wrote what was read.
    """
    entries: Entries = []
    snapshots: list[list[SnapshotPart]] = []
    low = log_end
    while low > log_start:
        start = max(log_start, low - CHUNK_ENTRIES)
        chunk = yield ReadLog(start, low)
        entries[:0] = [(record.offset, decode_entry(record)) for record in chunk]
        low = start
        snapshots = _snapshots(entries, whole=low == 0)
        usable = [parts for parts in snapshots if _is_at_or_below(parts[0].at, committed)]
        # Each is enough by itself; the newest says most. Where the log was cut above what that one asks for, an older
        # one serves: retention of a media topic lets what a snapshot asks for grow from one worker to the next.
        wanted = usable[-1:] if low > log_start else usable
        whole = [parts for parts in wanted if parts[0].replay_from >= low]
        if whole:
            return _fold_from(whole[-1], entries, rules, log_end)._replace(newest_at=_newest_at(snapshots))
    recovered = _from_the_start(committed, entries, log_start, log_end, rules, fresh)
    return recovered._replace(newest_at=_newest_at(snapshots))


def _from_the_start(
    committed: Mapping[str, int],
    entries: Entries,
    log_start: int,
    log_end: int,
    rules: Rules,
    fresh: Collection[str],
) -> Recovered:
    if log_start > 0:
        anew = f", or of {', '.join(sorted(fresh))} one was deleted and made anew" if fresh else ""
        raise NotRecoverableError(
            f"decisions: the log starts at offset {log_start} and holds no snapshot for the committed offsets "
            f"{dict(committed)}: its retention is shorter than the media topics'{anew}"
        )
    recovered = _fold(LogView(rules=rules), None, entries, log_end)
    if not recovered.decisions and any(offset for topic, offset in committed.items() if topic not in fresh):
        raise NotRecoverableError(
            f"decisions: the log holds no decision, but offsets are committed up to {dict(committed)}: "
            "it was deleted or emptied; reset the consumer group to begin anew"
        )
    return recovered


def _snapshots(entries: Entries, *, whole: bool) -> list[list[SnapshotPart]]:
    """The complete snapshots that are surely valid, oldest first, each as its parts."""
    # Only an owner whose claim was current writes batches and snapshots, so a claim that one of them refers to is
    # sure; folding begins at the first such claim, because what was current further left is not known.
    offsets_of_claims = {offset for offset, entry in entries if isinstance(entry, Claim)}
    referred = {entry.claim for _, entry in entries if isinstance(entry, Batch | SnapshotPart)}
    sure = offsets_of_claims & referred
    if not sure and not whole:
        return []
    first_sure = 0 if whole else min(sure)
    view, found, parts = LogView(), list[list[SnapshotPart]](), list[SnapshotPart]()
    for offset, entry in entries:
        if offset < first_sure:
            continue
        if view.apply(offset, entry) != "valid" or not isinstance(entry, SnapshotPart):
            continue
        parts = [*parts, entry] if entry.part == len(parts) else ([entry] if entry.part == 0 else [])
        if len(parts) == entry.n_parts:
            found.append(parts)
            parts = []
    return found


def _is_at_or_below(offsets: Mapping[str, int], committed: Mapping[str, int]) -> bool:
    return all(at <= committed.get(topic, 0) for topic, at in offsets.items())


def _newest_at(snapshots: list[list[SnapshotPart]]) -> dict[str, int]:
    return snapshots[-1][0].at if snapshots else {}


def _fold_from(snapshot: list[SnapshotPart], entries: Entries, rules: Rules, log_end: int) -> Recovered:
    first = snapshot[0]
    view = LogView(first.replay_from, first.replay_claim_offset, first.replay_claim, rules)
    return _fold(view, snapshot, [(o, e) for o, e in entries if o >= first.replay_from], log_end)


def _fold(view: LogView, snapshot: list[SnapshotPart] | None, entries: Entries, log_end: int) -> Recovered:
    decisions: list[tuple[int, Decision]] = []
    claims: dict[int, Claim] = {view.claim_offset: view.claim} if view.claim else {}
    newest = [view.claim] if view.claim else []
    for offset, entry in entries:
        verdict = view.apply(offset, entry)
        if verdict == "claim" and isinstance(entry, Claim):
            claims[offset] = entry
            newest.append(entry)
        elif verdict == "valid":
            newest = newest[-1:]
            if isinstance(entry, Batch):
                decisions.extend((offset, decision) for decision in entry.decisions)
    view.next_offset = log_end
    return Recovered(view, snapshot, decisions, claims, newest_claims=tuple(newest))
