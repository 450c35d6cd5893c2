"""Which entries of a decision log count: every reader folds the log with this and comes to the same answer."""

from __future__ import annotations

from typing import Literal

from streams.decisions.entries import Batch, Claim, SnapshotPart
from streams.decisions.rules import ALL_RULES, Rules


class LogView:
    """The claim that is current at one place in the log, and what is valid under it.

        offset   0        1         2          3         4          5
                 claim A  batch A   claim B    batch A   batch B    batch B (copy)
        counts   yes      yes       yes        void      yes        ignored

    Feed it every entry in offset order. `claim_offset` is -1 before the first claim. `group` is the consumer group that
    the log belongs to, "" as long as no claim has named one.
    """

    __slots__ = ("_rules", "claim", "claim_offset", "group", "next_offset", "number")

    def __init__(
        self, next_offset: int = 0, claim_offset: int = -1, claim: Claim | None = None, rules: Rules = ALL_RULES
    ) -> None:
        self.next_offset, self.claim_offset, self.claim, self._rules = next_offset, claim_offset, claim, rules
        # A copy of an entry from before the start of this view names nothing that is still open, so -1 is safe.
        self.number = claim.number if claim else -1
        self.group: str = claim.group if claim else ""

    def apply(self, offset: int, entry: Claim | Batch | SnapshotPart | None) -> Literal["claim", "valid", "void"]:
        """Fold one entry in; `claim` if it is a claim that is current now, `valid` if it counts."""
        self.next_offset = offset + 1
        if isinstance(entry, Claim):
            return self._apply_claim(offset, entry)
        if entry is None or (self._rules.void_behind_other_claim and entry.claim != self.claim_offset):
            return "void"
        if self._rules.ignore_copies and entry.number <= self.number:
            return "void"
        self.number = entry.number
        return "valid"

    def is_anothers(self, claim: Claim) -> bool:
        """Whether the log belongs to another group than the claim's, which was not told to take it over."""
        return bool(self.group and claim.group) and self.group not in (claim.group, claim.take_over)

    def _apply_claim(self, offset: int, claim: Claim) -> Literal["claim", "void"]:
        current = self.claim
        if self._rules.one_group_a_log and self.is_anothers(claim):
            return "void"
        if current is not None:
            is_comparable = "" in (self.group, claim.group) or claim.group == self.group
            if self._rules.ignore_lower_claims and is_comparable and claim.rank < current.rank:
                return "void"
            if claim.rank == current.rank and claim.worker == current.worker and claim.number <= self.number:
                return "void"  # a copy of one of its owner's claims
        self.claim, self.claim_offset, self.number = claim, offset, claim.number
        self.group = claim.group or self.group
        return "claim"
