"""Feeds records to the join: undecided ones join, decided ones only move their lane's watermark."""

from __future__ import annotations

from collections.abc import Sequence

from streams.decisions.backpressure import ReadingState
from streams.decisions.checkpoint_state import CheckpointState
from streams.decisions.execution import DecisionExecutor
from streams.decisions.in_flight import InFlight
from streams.decisions.proposer import BatchBuilder
from streams.decisions.records import InFlightRecord, Record
from streams.decisions.resolved import NOT_NAMED
from streams.join.items import DeadLetterDecision, Item
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from syncline.wire.contract import media_topic


class JoinInput:
    """Takes the records of one partition number; `join` is None while this owner's claim is not current."""

    def __init__(
        self,
        settings: JoinSettings,
        in_flight: InFlight,
        execution: DecisionExecutor,
        outbox: BatchBuilder,
    ) -> None:
        self._settings, self._in_flight, self._execution, self._outbox = settings, in_flight, execution, outbox
        self.join: PartitionJoin | None = None

    def start(self, checkpoint: CheckpointState, now_ms: int) -> None:
        """Start the join from the state at the acknowledged offsets, with all held undecided records."""
        self.stop()
        clocks, bounds = checkpoint.copy_clocks(), dict(checkpoint.bounds)
        clocks.forgotten = self._in_flight.counters.forgotten
        self.join = PartitionJoin(self._settings, clocks, bounds, self._in_flight.counters.waits_ms)
        self._outbox.start(self.join.tied)
        for topic, hold in self._in_flight.topics.items():
            for one in hold.in_order():
                if isinstance(one, Item):
                    self.join.observe(one, now_ms)
                    continue
                if not one.final:
                    self._in_flight.unmark(one)
                self._take_in(self.join, one, now_ms)
            self.join.joined(topic, hold.position, now_ms)

    def stop(self) -> None:
        """End the join, because the claim is lost."""
        if self.join is not None:
            self._in_flight.counters.n_suspect_pairs += self.join.n_suspect_pairs
            self.join = None

    def take(self, topic: str, records: Sequence[Record], now_ms: int) -> None:
        """Take records of one topic in offset order; skip ones delivered before."""
        hold = self._in_flight.topics[topic]
        for record in records:
            if record.offset < hold.position:
                continue
            if record.offset > hold.position:
                self._pass(topic, record.offset, now_ms)
            held = hold.add(self._without_stray_item(topic, record))
            self._execution.arrived(held)
            if self.join is not None:
                self._take_in(self.join, held, now_ms)
        if self.join is not None:
            self.join.joined(topic, hold.position, now_ms)

    def pass_to(self, topic: str, next_offset: int, now_ms: int) -> None:
        """Note that every offset of `topic` below `next_offset` was taken or never will be."""
        hold = self._in_flight.topics[topic]
        if next_offset > hold.position:
            hold.position = next_offset
            self._pass(topic, next_offset, now_ms)
            if self.join is not None:
                self.join.joined(topic, next_offset, now_ms)

    def _pass(self, topic: str, next_offset: int, now_ms: int) -> None:
        for place in self._execution.passed(topic, next_offset):
            if self.join is not None:
                self._take_in(self.join, place, now_ms)

    def fill_outbox(self, join: PartitionJoin, reading: ReadingState, now_ms: int, *, deciding: bool = True) -> bool:
        """Decide more unless the next batch is full; pressure decides only if nothing else does.

        Without `deciding`, add only what carrying out needs. Returns whether there is anything to propose.
        """
        if self._outbox.wants_more:
            self._outbox.extend(self._execution.take_proposals())
            if deciding:
                self._outbox.extend(join.decide(now_ms))
                if not self._outbox and reading.must_press:
                    self._outbox.extend(join.press())
        return bool(self._outbox)

    def _without_stray_item(self, topic: str, record: Record) -> Record:
        """Drop a rejected record's item if its stream waits for no such lane from this topic: it moves no watermark."""
        item = record.item
        if item is None or record.rejected is None:
            return record
        known = {(lane.name, media_topic(lane.modality)) for lane in self._settings.lanes_of(item.stream)}
        return record if (item.lane, topic) in known else record._replace(item=None)

    def _take_in(self, join: PartitionJoin, held: InFlightRecord, now_ms: int) -> None:
        rejected = held.record.rejected if held.record is not None else None
        if held.final:
            if held.moves and held.item is not None:
                join.observe(held.item, now_ms)
        elif rejected is not None:
            self._outbox.add(DeadLetterDecision(held.topic, held.offset, rejected.reason, held.item))
            if held.item is not None:
                join.observe(held.item, now_ms)
        elif held.item is not None:
            join.add(held.item, now_ms, in_set=held.log_offset != NOT_NAMED)
