"""Decisions that wait for their place in a batch."""

from __future__ import annotations

from collections.abc import Iterable

from streams.decisions.carry_out import keys_of
from streams.decisions.holds import Holds
from streams.decisions.runs import with_runs
from streams.join.model import Decision

BATCH_DECISIONS = 500
"""About 80 KiB of sets of three: far below every broker's limit, and few enough to keep the log's reader quick."""


class Outbox:
    """Decisions in the order in which they go into the log."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._decisions: list[Decision] = []

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

    def clear(self) -> None:
        """The claim is lost, and with it what waited here."""
        self._decisions = []

    def take_batch(self) -> list[Decision]:
        """The next batch; its records are on their way from now on."""
        decisions = with_runs(self._decisions)
        batch, self._decisions = decisions[:BATCH_DECISIONS], decisions[BATCH_DECISIONS:]
        for decision in batch:
            for key in keys_of(decision):
                held = self._holds.get(*key)
                if held is not None:
                    self._holds.mark(held)
        return batch
