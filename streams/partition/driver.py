"""Drives the owner of one partition number: feeds it events and executes its commands.

    agents --> decode threads --> owner --> append, fuse, publish, acknowledge, read
                (offset order)      ^                |
                                    +--- outcomes

A driver belongs to one assignment. Once stopped it does nothing, even with work still in flight.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping, Sequence, Set
from typing import Any

from streams.decisions.owner import PartitionOwner
from streams.decisions.records import Append, Commands, Record
from streams.decisions.recovery import MadeAnewError, NotRecoverableError
from streams.join.timers import StalledLane
from streams.kafka.batch_consumer import FetchedBatch
from streams.kafka.consumer_thread import Beyond
from streams.kafka.log import Entries
from streams.partition.context import Assigned, WorkerContext
from streams.partition.decision_log import DecisionLog
from streams.partition.decode_queue import MAX_DECODING_BYTES, Decoding
from streams.partition.executor import Executor
from streams.partition.handover import Handover
from streams.partition.lag import HeldBack, Lag, TopicLag
from streams.partition.operator_log import tell_deleted, tell_forgotten, tell_fresh, tell_grown
from syncline.errors import NewerVersionError
from syncline.wire.contract import DECISIONS

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.02


class PartitionDriver:
    """One partition number during one assignment."""

    def __init__(self, context: WorkerContext, assigned: Assigned) -> None:
        self._context, self._assigned = context, assigned
        self._partition = assigned.partition
        self._loop = asyncio.get_running_loop()
        self.owner = PartitionOwner(
            context.settings.join,
            assigned.worker,
            assigned.generation,
            {topic: start.offset for topic, start in assigned.starts.items()},
            context.now_ms(),
            session_timeout_ms=context.settings.session_timeout_ms,
            counters=context.meter.counters,
            fresh={topic for topic, start in assigned.starts.items() if start.committed is None},
            deployment=context.settings.deployment(context.n_partitions),
            log_version=context.settings.decision_log_version,
        )
        self.log = DecisionLog(context, self._partition, self.owner)
        self._carrier = Executor(context, self._partition, self.owner, self.schedule, self._spawn)
        settle_s = context.settings.handover.settle_s
        self._handover = Handover(self.owner, self._carrier, self.schedule, lambda: self._stopped, settle_s)
        self._decoding = {
            topic: Decoding(topic, self._partition, context.pool, self._decode) for topic in assigned.starts
        }
        self.share_limits(assigned.n_shares)
        self._lags = {topic: TopicLag() for topic in (*assigned.starts, DECISIONS)}
        self._held_back = {topic: HeldBack() for topic in assigned.starts}
        self._tasks: set[asyncio.Task[None]] = set()
        self._doubted: set[str] = set()
        self._scheduled = self._stopped = self._reading = self._closing = self._warned = False
        self._wanted = frozenset(assigned.starts)
        self._not_held: frozenset[str] = frozenset()
        self.state = "claiming the decision log"
        """What it is doing while not ready; "" when ready."""

    # --- from start to stop --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Claim the log, recover from it, then read records."""
        self._spawn(self._recover())

    def stop(self) -> None:
        """Stop at once."""
        if self._stopped:
            return
        self._stopped = True
        self.owner.end()
        self._context.tail.leave(self._partition)
        self._carrier.close()
        for task in self._tasks:
            task.cancel()

    def share_limits(self, n_shares: int) -> None:
        """Limit held and decoding records to one of `n_shares` equal shares of the worker's limits."""
        self.owner.share_limits(n_shares)
        for decoding in self._decoding.values():
            decoding.max_bytes = min(MAX_DECODING_BYTES, self.owner.share.n_bytes // len(self._decoding))

    def stop_reading(self) -> None:
        """Accept no more records, including those being decoded: the next owner reads them again."""
        self._reading, self._closing = False, True
        self._apply_read()

    async def hand_over(self, limit_s: float) -> list[str]:
        """Carry out the decisions and write a snapshot; return what was not done, in words. Call `stop` afterwards.

        Returns [] before recovery, or after the group expired us: the next owner recovers from the log.
        """
        self.stop_reading()
        left: list[str] = []
        if not self.state:
            left = await self._handover.run(limit_s)
        elif self.owner.execution.n_to_do:  # it gave up before its work was done
            left = [f"{self.owner.execution.n_to_do} decisions were not carried out: {self.state}"]
        if left and self._context.consumer.generation != self._assigned.generation:
            log.info("partition %d: session expired, left to the next owner: %s", self._partition, "; ".join(left))
            left = []
        return [f"partition {self._partition}: {what}" for what in left]

    @property
    def reads(self) -> frozenset[str]:
        """The topics being read: not paused by back-pressure, decoding or recovery."""
        return self._not_held

    @property
    def decoding(self) -> set[str]:
        """The topics with records on the decode threads."""
        return {topic for topic, decoding in self._decoding.items() if decoding}

    @property
    def has_ended(self) -> bool:
        """Whether it gave up: it was not stopped, and neither works nor recovers."""
        return bool(self.state) and not self._stopped and not self._tasks

    def reasons(self) -> Iterator[str]:
        """Yield why this partition number does no work now."""
        for what in (self.state, self.log.failing, *self._carrier.failing):
            if what:
                yield f"partition {self._partition}: {what}"
        if not self.state and self.owner.state != "owning":
            yield f"partition {self._partition}: {self.owner.state} the decision log"
        for topic, held_back in self._held_back.items():
            if why := held_back.say(self._context.now_ms()):
                yield f"{topic}, partition {self._partition}: {why}"

    async def _recover(self) -> None:
        started_ms = self._context.now_ms()
        await self.log.claim()
        self.state = "recovering from the decision log"
        try:
            await self.log.recover(self._on_log)
            if self.owner.must_place:
                tell_grown(self._partition, self._context.n_partitions)
                self.owner.place(await self.log.media_ends(), self._context.now_ms())
        except (NotRecoverableError, NewerVersionError) as error:
            self._give_up(error)
            return
        self.state = ""
        self._context.meter.recovery_ms.add(self._context.now_ms() - started_ms)
        tell_fresh(self._partition, self.owner, self._context.settings.topic_prefix, self._assigned.starts)
        self._reading = not self._closing
        self._apply_read()
        self.schedule()

    # --- what happens --------------------------------------------------------------------------------------------

    def deliver(self, topic: str, batch: FetchedBatch) -> int:
        """Decode fetched records of one topic (without prefix) in order.

        Return how many earlier records were deleted before they were judged.
        """
        if self._closing:
            return 0
        missing, n_unjudged = batch.missing, 0
        if isinstance(missing, Beyond):
            finding = f"it ends at offset {missing.end} but was read up to {missing.offset}"
            self._give_up(MadeAnewError(topic, finding))
            return 0
        if missing is not None:
            n_unjudged = tell_deleted(self._partition, self.owner, topic, batch.topic, missing)
        accepted = self.owner.execution.accepted(topic, (record.offset for record in batch.records))
        now_ms = self._context.now_ms()
        self._decoding[topic].put(batch.records, batch.next_offset, self._on_decoded, accepted, now_ms)
        return n_unjudged

    def _decode(self, topic: str, partition: int, raws: Sequence[Any], accepted: Set[int]) -> list[Record]:
        return self._context.decoder.decode(topic, partition, raws, accepted, self.owner.placed)

    def _on_decoded(self, topic: str) -> None:
        if self._stopped or self._closing:
            return
        try:
            self._take_decoded(topic, self._context.now_ms())
        except MadeAnewError as error:
            self._give_up(error)
        except Exception as error:  # in a callback: the event loop would only log it
            self._context.on_broken(error)
        else:
            self._apply_read()
            self.schedule()

    def _take_decoded(self, topic: str, now_ms: int) -> None:
        for done in self._decoding[topic].take(lambda records, read_ms: self._may_go(topic, records, read_ms)):
            if isinstance(done, int):
                self.owner.on_position(topic, done, now_ms)
            elif done:
                self.owner.on_records(topic, done, now_ms)
                self._lags[topic].read(done[-1].payload.raw.timestamp)
                self._context.meter.read(topic, done)

    def _may_go(self, topic: str, records: Sequence[Record], read_ms: int) -> bool:
        """Tell whether records may be judged now: seemingly misrouted ones may be placed by a newer partition count."""
        if not any(record.rejected is not None and record.rejected.reason == "misrouted" for record in records):
            return True
        if self._context.counted.held(read_ms):
            return True
        if topic not in self._doubted:
            self._doubted.add(topic)
            self._loop.call_later(LOOK_AGAIN_S, self._look_again, topic)
        return False

    def _look_again(self, topic: str) -> None:
        self._doubted.discard(topic)
        self._on_decoded(topic)

    def _on_log(self, entries: Entries) -> None:
        if self._stopped:
            return
        try:
            self.owner.on_log(entries, self._context.now_ms())
        except (NewerVersionError, NotRecoverableError) as error:
            self._give_up(error)
        else:
            self.schedule()

    def _give_up(self, error: Exception) -> None:
        """Stop, not ready with this reason: an operator must act."""
        self.state = str(error)
        log.error("partition %d: %s", self._partition, error)
        self.stop_reading()
        self.stop()

    def on_high_water(self, high_water: dict[str, int] | None, asked_ms: int) -> None:
        """Take the last stable offsets of the owner's `topics_to_ask`; None if the broker could not be asked."""
        if self._stopped or self.state:
            return
        try:
            for topic in self._assigned.starts if high_water is None else high_water:
                offset = None if high_water is None else high_water[topic]
                end = self._context.consumer.fetched_ends(topic, self._partition).high
                self.owner.on_high_water(topic, offset, asked_ms, self._context.now_ms(), end)
        except MadeAnewError as error:
            self._give_up(error)
        else:
            self.schedule()

    def on_ends(self, high_water: Mapping[str, int], asked_ms: int) -> None:
        """Take the last stable offsets of all topics of this partition number, including decisions."""
        for topic, offset in high_water.items():
            self._lags[topic].answered(offset, asked_ms)
        for topic, held_back in self._held_back.items():
            high = self._context.consumer.fetched_ends(topic, self._partition).high
            position = self.owner.in_flight.positions[topic]
            held_back.look(stable=high_water[topic], high=high, position=position, now_ms=self._context.now_ms())

    def unnamed(self) -> Iterator[tuple[str, HeldBack]]:
        """Return topics blocked by an open transaction whose producer is unknown yet."""
        now_ms = self._context.now_ms()
        return ((topic, one) for topic, one in self._held_back.items() if one.is_unnamed(now_ms))

    def lags(self, wall_ms: int) -> dict[str, Lag | None]:
        """Return the lag of each topic, including decisions; None until the broker has answered."""
        positions = self.owner.in_flight.positions | {DECISIONS: self.owner.log_position}
        now_ms = self._context.now_ms()
        return {topic: lag.at(positions[topic], now_ms, wall_ms) for topic, lag in self._lags.items()}

    def stalled_lanes(self) -> list[StalledLane]:
        """Return lanes whose sets were recently decided by timeout although they send events."""
        join = self.owner.join
        return [] if join is None else join.stalled.lanes(self._context.now_ms())

    def schedule(self) -> None:
        """Run the owner once in the event loop's next round, however often this is called before."""
        if not self._scheduled and not self._stopped and not self.state:
            self._scheduled = True
            self._loop.call_soon(self._step)

    # --- what the owner asks for ---------------------------------------------------------------------------------

    def _step(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        try:
            generation, sent_ms = self._context.consumer.heartbeat
            if generation == self._assigned.generation:
                self.owner.on_heartbeat(sent_ms)
            self.owner.tick(self._context.now_ms())
            self._execution(self.owner.take_commands())
            if self._context.meter.counters.forgotten:
                tell_forgotten(self._partition, self._context.meter, self._context.settings.join)
            if self.owner.wants_tick:
                self.schedule()
            if self.owner.join is not None and self.owner.join.suspicious and not self._warned:
                self._warn_of_shifted_sets()
        except Exception as error:
            self._context.on_broken(error)

    def _warn_of_shifted_sets(self) -> None:
        self._warned = True
        tolerance_ms = self._context.settings.join.tolerance_ms
        what = "over 1 % of the sets have a member nearer to the next moment"
        mend = "is too near the period of a lane; take less than the period minus the jitter"
        log.warning("partition %d: %s: tolerance_ms=%d %s", self._partition, what, tolerance_ms, mend)

    def _execution(self, commands: Commands) -> None:
        if commands.append is not None:
            self._spawn(self._append(commands.append))
        if commands.fuse:
            self._carrier.fuse(commands.fuse)
        self._carrier.publish(commands.publish)
        for topic, offset in commands.acknowledge.items():
            self._context.consumer.resolve(self._assigned.epoch, topic, self._partition, offset)
        if commands.read is not None:
            self._wanted = commands.read
            self._apply_read()

    def _apply_read(self) -> None:
        full = {topic for topic, decoding in self._decoding.items() if decoding.full}
        not_held = self._wanted - full if self._reading and not self._stopped else frozenset[str]()
        for topic in not_held ^ self._not_held:
            self._context.consumer.hold(self._assigned.epoch, topic, self._partition, topic not in not_held)
        self._not_held = not_held

    async def _append(self, append: Append) -> None:
        await self.log.append(append)
        self.schedule()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"partition-{self._partition}")
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._stopped:
            self._context.on_broken(error)
