"""Reads one partition's decision log as every worker does: which decisions are valid, and which are void."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streams.decisions import entries as e
from streams.decisions.entries import Batch, Claim, Entry, LogRecord, SnapshotPart, decode_entry, keys_of
from streams.decisions.former_counts import merged, other_counts
from streams.decisions.ownership import LogValidator
from streams.join.items import DeadLetterDecision, Decision, RunDecision, SetDecision, UnfusedDecision
from verify.history import LogEntry
from verify.report import Place


class LoggedDecision(NamedTuple):
    """A decision and its place: log offset, index in its batch, the batch's append time (ms, or 0).

    `fingerprint` is that of its writer's settings; "" if the claim has none.
    """

    offset: int
    place: int
    append_ms: int
    decision: Decision
    fingerprint: str = ""

    @property
    def order(self) -> tuple[int, int]:
        """A sort key in log order."""
        return self.offset, self.place


class FoldedLog:
    """The decisions of a log: valid, void and unsure.

    `unsure` are those before the first surely current claim of a log that retention has cut: whether they count is
    unknown.
    """

    def __init__(self) -> None:
        self.valid: list[LoggedDecision] = []
        self.void: list[LoggedDecision] = []
        self.unsure: list[LoggedDecision] = []
        self.bounds: dict[str, int] = {}
        """By stream, a bound that may come from a decision that retention has deleted."""
        self.n_claims = self.n_snapshot_parts = self.n_void_batches = self.n_copies = self.n_foreign = 0
        self.n_partitions = 0
        """The last owner's number of partitions; 0 if no claim has one."""
        self._placed: tuple[e.FormerPlacement, ...] = ()

    def claimed(self, claim: Claim) -> None:
        """Take a claim's numbers of partitions; topics never have fewer than before."""
        self.n_partitions = max(self.n_partitions, claim.n_partitions)
        if claim.placed:
            self._placed = merged((*self._placed, *claim.placed))

    def counts(self, topic: str, offset: int, n_partitions: int) -> list[int]:
        """Return the numbers of partitions that may have placed a record; `n_partitions` if no claim has one."""
        return [self.n_partitions or n_partitions, *other_counts(self._placed, topic, offset)]

    def misrouted(self) -> set[Place]:
        """Return the records that a decision calls misrouted."""
        found: set[Place] = set()
        for placed in (*self.unsure, *self.valid):
            decision = placed.decision
            if isinstance(decision, DeadLetterDecision | RunDecision) and decision.reason == "misrouted":
                found.update(keys_of(decision))
        return found


def fold(entries: Iterable[LogEntry], log_start: int) -> FoldedLog:
    """Read a log from `log_start`, its first offset.

    Raises `NewerVersionError` at an entry of a newer version.
    """
    decoded = [(entry, decode_entry(LogRecord(entry.offset, entry.data, entry.version))) for entry in entries]
    folded, view = FoldedLog(), LogValidator()
    sure_from = 0 if log_start == 0 else _first_sure_claim(decoded)
    for entry, said in decoded:
        if log_start > 0 and isinstance(said, SnapshotPart):
            _take_bounds(folded, said.bounds.items())
        if isinstance(said, Claim) and entry.offset < sure_from:
            folded.claimed(said)
        if entry.offset < sure_from:
            if isinstance(said, Batch):
                folded.unsure += _placed(entry, said)
                _take_bounds(folded, _bounds_of(said))
            continue
        is_copy = _is_copy(view, said)
        verdict = view.apply(entry.offset, said)
        if said is None:
            folded.n_foreign += 1
        elif is_copy:
            folded.n_copies += 1
        elif isinstance(said, Claim):
            folded.n_claims += 1
            if verdict == "claim":
                folded.claimed(said)
        elif isinstance(said, SnapshotPart):
            folded.n_snapshot_parts += 1
        elif verdict == "valid":
            folded.valid += _placed(entry, said, view.claim.fingerprint if view.claim else "")
        else:
            folded.n_void_batches += 1
            folded.void += _placed(entry, said)
    return folded


def _placed(entry: LogEntry, batch: Batch, fingerprint: str = "") -> list[LoggedDecision]:
    return [
        LoggedDecision(entry.offset, place, entry.append_ms, decision, fingerprint)
        for place, decision in enumerate(batch.decisions)
    ]


def _take_bounds(folded: FoldedLog, bounds: Iterable[tuple[str, int]]) -> None:
    for stream, bound_ms in bounds:
        folded.bounds[stream] = max(bound_ms, folded.bounds.get(stream, bound_ms))


def _bounds_of(batch: Batch) -> Iterable[tuple[str, int]]:
    for decision in batch.decisions:
        if isinstance(decision, SetDecision) and decision.bound_ms:
            yield decision.stream, decision.bound_ms
        elif isinstance(decision, UnfusedDecision) and decision.bound_ms:
            yield decision.item.stream, decision.bound_ms


def _is_copy(view: LogValidator, said: Entry | None) -> bool:
    """Tell whether this is a second copy of an entry under the current claim."""
    if said is None:
        return False
    if isinstance(said, Claim):
        current = view.claim
        is_its_own = current is not None and (said.worker, said.rank) == (current.worker, current.rank)
        return is_its_own and said.number <= view.number
    return said.claim == view.claim_offset and said.number <= view.number


def _first_sure_claim(decoded: list[tuple[LogEntry, Entry | None]]) -> int:
    """Return the first claim that a batch or snapshot refers to: only an owner with a current claim writes those."""
    referred = {said.claim for _, said in decoded if isinstance(said, Batch | SnapshotPart)}
    sure = (entry.offset for entry, said in decoded if isinstance(said, Claim) and entry.offset in referred)
    return next(sure, decoded[-1][0].offset + 1 if decoded else 0)
