"""Decisions that wait for their place in a batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from streams.decisions.holds import Holds
from streams.decisions.naming import Key, keys_of
from streams.decisions.rules import ALL_RULES, Rules
from streams.decisions.runs import take_run
from streams.decisions.sizes import encoded_bytes
from streams.join.model import Decision, SetDecision, UnfusedDecision

BATCH_DECISIONS = 500
"""About 80 KiB of sets of three: far below every broker's limit, and few enough to keep the log's reader quick."""
BATCH_BYTES = 400_000
"""For large sets and long names of streams, as encoded. A set that was given up goes alone where it takes more."""


class Outbox:
    """Decisions in the order in which they go into the log."""

    def __init__(self, holds: Holds, rules: Rules = ALL_RULES) -> None:
        self._holds, self._rules = holds, rules
        self._decisions: deque[Decision] = deque()
        self._tied: set[Key] = set()

    def __bool__(self) -> bool:
        return bool(self._decisions)

    @property
    def wants_more(self) -> bool:
        """Whether the next batch would not be full: only then is it time to decide more."""
        return len(self._decisions) < BATCH_DECISIONS

    def add(self, decision: Decision) -> None:
        """Put one decision behind the others."""
        self._decisions.append(decision)

    def extend(self, decisions: Iterable[Decision]) -> None:
        """Put these decisions behind the others."""
        self._decisions.extend(decisions)

    def start(self, tied: set[Key]) -> None:
        """A join begins, and what waited here for the one before is dropped.

        `tied`, which grows: records whose decision goes into one batch with the one behind it, as the members of a set
        that was given up (`require`) do.
        """
        self._decisions.clear()
        self._tied = tied

    def take_batch(self) -> list[Decision]:
        """The next batch; its records are on their way from now on."""
        batch: list[Decision] = []
        room = BATCH_BYTES
        while self._decisions and len(batch) < BATCH_DECISIONS:
            together = self._take_together()
            room -= sum(map(encoded_bytes, together))
            if batch and room < 0:
                self._decisions.extendleft(reversed(together))
                break
            batch += together
        for decision in batch:
            self._mark(decision)
        return batch

    def _take_together(self) -> list[Decision]:
        """The first decision, with those behind it that must not be parted from it; or those that are one run."""
        run = take_run(self._decisions)
        if run is not None:
            return [run]
        together = [self._decisions.popleft()]
        while self._is_tied(together[-1]) and self._decisions:
            together.append(self._decisions.popleft())
        return together

    def _is_tied(self, decision: Decision) -> bool:
        if not self._rules.given_up_sets_stay_whole or not isinstance(decision, UnfusedDecision):
            return False
        return (decision.item.topic, decision.item.offset) in self._tied

    def _mark(self, decision: Decision) -> None:
        # A shared member that stays open frees no room until it is closed.
        still_open = decision.open_members if isinstance(decision, SetDecision) else ()
        for index, key in enumerate(keys_of(decision)):
            self._tied.discard(key)
            held = self._holds.get(*key)
            if held is not None and index not in still_open:
                self._holds.mark(held)
