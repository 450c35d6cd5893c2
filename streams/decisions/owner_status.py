"""An owner's status for health, metrics and messages. Read-only."""

from __future__ import annotations

from collections.abc import Iterable

from streams.decisions.execution import DecisionExecutor
from streams.decisions.in_flight import Amount, InFlight
from streams.decisions.join_input import JoinInput
from streams.join.partition import PartitionJoin


class OwnerStatus:
    """What one owner holds and waits for at the moment."""

    def __init__(self, in_flight: InFlight, execution: DecisionExecutor, join_input: JoinInput) -> None:
        self._in_flight, self._execution, self._join_input = in_flight, execution, join_input

    @property
    def held(self) -> Amount:
        """Everything that is not resolved."""
        return self._in_flight.held

    @property
    def n_kept(self) -> int:
        """What is kept of records resolved after an open one; it counts as load (in_flight.py)."""
        return sum(hold.n_kept for hold in self._in_flight.topics.values())

    @property
    def on_its_way(self) -> Amount:
        """What is proposed, or decided with all members here, and not resolved."""
        return self._in_flight.on_its_way

    @property
    def committed(self) -> dict[str, int]:
        """The next offset to read after a restart, by topic."""
        return self._in_flight.acknowledged

    @property
    def positions(self) -> dict[str, int]:
        """The next offset to arrive, by media topic."""
        return self._in_flight.positions

    @property
    def join(self) -> PartitionJoin | None:
        """The join, read-only; None while the owner's claim is not current."""
        return self._join_input.join

    @property
    def suspicious(self) -> bool:
        """Whether the join's sets look shifted: its tolerance is probably too near a lane's period."""
        return self._join_input.join is not None and self._join_input.join.suspicious

    @property
    def n_to_carry_out(self) -> int:
        """The number of confirmed and unpublished decisions with all their records."""
        return self._execution.n_to_do

    def n_awaited(self, topic: str) -> int:
        """Count the records of `topic` that decisions in the log wait for, as after a crash."""
        return self._execution.n_awaited(topic)

    def accepted(self, topic: str, offsets: Iterable[int]) -> frozenset[int]:
        """Return those of these records, not delivered yet, that a decision in the log has accepted.

        The decision holds even if the present settings would reject the record.
        """
        if topic not in self._execution.awaited_topics():
            return frozenset()
        return frozenset(offset for offset in offsets if self._execution.is_accepted(topic, offset))

    def n_unjudged(self, topic: str, start: int, stop: int) -> int:
        """Count the undelivered offsets in [start, stop) that no decision in the log names."""
        return stop - start - self._execution.n_awaited(topic, start, stop)
