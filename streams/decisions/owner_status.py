"""How an owner stands: what health, metrics and messages ask of it. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable

from streams.decisions.execution import DecisionExecutor
from streams.decisions.in_flight import Amount, InFlight
from streams.decisions.join_input import JoinInput
from streams.join.partition import PartitionJoin


class OwnerStatus:
    """A look at what one owner holds and waits for, at the moment at which it is asked."""

    def __init__(self, in_flight: InFlight, execution: DecisionExecutor, join_input: JoinInput) -> None:
        self._in_flight, self._execution, self._join_input = in_flight, execution, join_input

    @property
    def held(self) -> Amount:
        """Everything that is not resolved."""
        return self._in_flight.held

    @property
    def n_kept(self) -> int:
        """What is kept of records that were resolved behind an open one; it counts (in_flight.py)."""
        return sum(hold.n_kept for hold in self._in_flight.topics.values())

    @property
    def on_its_way(self) -> Amount:
        """What of it is proposed or decided, with all members here."""
        return self._in_flight.on_its_way

    @property
    def committed(self) -> dict[str, int]:
        """Per topic the next offset to be read after a restart."""
        return self._in_flight.acknowledged

    @property
    def positions(self) -> dict[str, int]:
        """Per media topic the next offset to arrive."""
        return self._in_flight.positions

    @property
    def join(self) -> PartitionJoin | None:
        """The join, to look at; None while the owner's claim is not current."""
        return self._join_input.join

    @property
    def suspicious(self) -> bool:
        """Whether the join's sets look shifted: its tolerance is too near the period of a lane."""
        return self._join_input.join is not None and self._join_input.join.suspicious

    @property
    def n_to_carry_out(self) -> int:
        """Decisions that are confirmed, and whose outputs are not all on the broker, though no record is missing."""
        return self._execution.n_to_do

    def n_awaited(self, topic: str) -> int:
        """How many records of `topic` decisions in the log wait for, as after a crash."""
        return self._execution.n_awaited(topic)

    def accepted(self, topic: str, offsets: Iterable[int]) -> frozenset[int]:
        """Those of these records, which have not come yet, that a decision in the log has taken for good.

        It stands, also where the settings of today would refuse the record.
        """
        if topic not in self._execution.awaited_topics():
            return frozenset()
        return frozenset(offset for offset in offsets if self._execution.is_accepted(topic, offset))

    def n_unjudged(self, topic: str, start: int, stop: int) -> int:
        """How many of the offsets in [start, stop), which have not been delivered, no decision in the log names."""
        return stop - start - self._execution.n_awaited(topic, start, stop)
