"""Ownership of a partition number: which entries of its log are valid, and whether the claim is this owner's."""

from __future__ import annotations

from typing import Literal, NamedTuple

from streams.decisions.entries import Batch, Claim, FormerPlacement, SnapshotPart


class LogValidator:
    """The claim that is current at one offset of the log, and what is valid under it.

        offset   0        1         2          3         4          5
                 claim A  batch A   claim B    batch A   batch B    batch B (copy)
        counts   yes      yes       yes        void      yes        ignored

    Call `apply` with every entry in offset order. `claim_offset` is -1 before the first claim. `group` is the consumer
    group that the log belongs to, "" until a claim names one.
    """

    __slots__ = ("claim", "claim_offset", "group", "next_offset", "number")

    def __init__(self, next_offset: int = 0, claim_offset: int = -1, claim: Claim | None = None) -> None:
        self.next_offset, self.claim_offset, self.claim = next_offset, claim_offset, claim
        # -1 is safe: a copy of an entry from before this view names nothing that is still open.
        self.number = claim.number if claim else -1
        self.group: str = claim.group if claim else ""

    def apply(self, offset: int, entry: Claim | Batch | SnapshotPart | None) -> Literal["claim", "valid", "void"]:
        """Take one entry; return `claim` if it is a claim that is current now, `valid` if it counts."""
        self.next_offset = offset + 1
        if isinstance(entry, Claim):
            return self._apply_claim(offset, entry)
        if entry is None or self._is_behind_other_claim(entry) or self._is_copy(entry):
            return "void"
        self.number = entry.number
        return "valid"

    def _is_behind_other_claim(self, entry: Batch | SnapshotPart) -> bool:
        """Tell whether a later claim is between the entry's own claim and the entry."""
        return entry.claim != self.claim_offset

    def _is_copy(self, entry: Batch | SnapshotPart) -> bool:
        """Tell whether this entry, or a later one of the same owner, was in the log before."""
        return entry.number <= self.number

    def is_anothers(self, claim: Claim) -> bool:
        """Tell whether the log belongs to another group and the claim does not take it over."""
        return bool(self.group and claim.group) and self.group not in (claim.group, claim.take_over)

    def _apply_claim(self, offset: int, claim: Claim) -> Literal["claim", "void"]:
        if self.is_anothers(claim) or self._is_lower(claim) or self._is_copied_claim(claim):
            return "void"
        self.claim, self.claim_offset, self.number = claim, offset, claim.number
        self.group = claim.group or self.group
        return "claim"

    def _is_lower(self, claim: Claim) -> bool:
        """Tell whether `claim` has a lower rank than the current one; ranks of two groups are not compared."""
        is_comparable = "" in (self.group, claim.group) or claim.group == self.group
        return self.claim is not None and is_comparable and claim.rank < self.claim.rank

    def _is_copied_claim(self, claim: Claim) -> bool:
        """Tell whether `claim` is a copy of one of the current owner's claims."""
        current = self.claim
        if current is None or claim.rank != current.rank or claim.worker != current.worker:
            return False
        return claim.number <= self.number


State = Literal["claiming", "owning", "lost"]


class Deployment(NamedTuple):
    """What an owner's claims say of its workers; see `Claim`."""

    group: str = ""
    take_over: str = ""
    fingerprint: str = ""
    n_partitions: int = 0
    placed: tuple[FormerPlacement, ...] = ()


class Ownership:
    """The state of one owner's claim. Times come from the caller's monotonic clock.

    claiming --- own claim read back ---> owning --- another's claim read ---> lost
        ^                                                                        |
        +------------ a heartbeat sent after that still succeeds ----------------+
    """

    def __init__(
        self,
        worker: str,
        generation: int,
        now_ms: int,
        session_timeout_ms: int,
        deployment: Deployment | None = None,
    ) -> None:
        self._worker, self._generation, self._era = worker, generation, 0
        self.deployment = Deployment() if deployment is None else deployment
        self._session_timeout_ms = session_timeout_ms
        self._lost_ms = self._heartbeat_ms = now_ms
        self.state: State = "claiming"

    def claim(self, number: int) -> Claim:
        """Return the claim to append: the first, another after a loss, or a renewal."""
        return Claim(self._worker, self._generation, self._era, number, *self.deployment)

    def say_placed(self, placed: tuple[FormerPlacement, ...]) -> None:
        """Put former placements into all further claims."""
        self.deployment = self.deployment._replace(placed=placed)

    def is_mine(self, claim: Claim | None) -> bool:
        """Tell whether this owner wrote the claim."""
        return claim is not None and claim.worker == self._worker

    def lose(self, now_ms: int) -> None:
        """Note that another owner's claim is current."""
        self.state, self._lost_ms = "lost", now_ms

    def heard(self, sent_ms: int, current: Claim | None) -> bool:
        """Note a heartbeat sent at `sent_ms` that succeeded; return whether this owner must claim again."""
        self._heartbeat_ms = max(self._heartbeat_ms, sent_ms)
        if self.state != "lost" or sent_ms <= self._lost_ms:
            return False
        if current is not None and current.rank > (self._era, self._generation):
            self._era = current.era + 1  # the group was deleted, and generations started again
        self.state = "claiming"
        return True

    def may_propose(self, now_ms: int) -> bool:
        """Tell whether proposing is worthwhile: owning, with a recent heartbeat. Safety rests on claims alone."""
        fresh = now_ms - self._heartbeat_ms <= self._session_timeout_ms // 2
        return self.state == "owning" and fresh
