"""The thread on which aiokafka's consumer runs: fair polls that know of offsets gone, heartbeats noted, commits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from aiokafka.client import ConnectionGroup
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    InvalidSessionTimeoutError,
    KafkaConnectionError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.kafka.faust import driver
from streams.kafka.retry import Backoff, Trouble
from streams.timing import end_tasks
from syncline.errors import SettingsError
from syncline.kafka.client import FETCH_MAX_WAIT_MS, stop_consumer
from syncline.kafka.routines import outlive_leaders, require_parts, revive, steady
from syncline.kafka.tolerant_fetch import read_any_batch

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false


log = logging.getLogger(__name__)


class Start(NamedTuple):
    """Where a topic partition is read from: the committed offset, or where the topic begins if there is none."""

    committed: int | None
    offset: int


class Deleted(NamedTuple):
    """The records from `start` up to `stop` were deleted before they were read; reading goes on at `stop`."""

    start: int
    stop: int


class Beyond(NamedTuple):
    """The topic partition ends at `end`, below the offset that it was read up to: it is not the same topic any more."""

    offset: int
    end: int


async def find_missing(consumer: Any, tp: Any, offset: int) -> Deleted | Beyond | None:
    """Why `tp` has nothing at `offset`; if it begins above it, the consumer is put there.

    None where it has, by now, or where the broker cannot be asked: reading meets the same again.
    """
    try:
        start = (await consumer.beginning_offsets([tp]))[tp]
        if offset < start:
            consumer.seek(tp, start)
            return Deleted(offset, start)
        end = (await consumer.end_offsets([tp]))[tp]
    except (KafkaError, IllegalStateError) as error:  # the broker is away; the assignment has just ended
        log.debug("%s: no answer to where it begins and ends: %r", tp, error)
        return None
    return Beyond(offset, end) if offset > end else None


# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# ruff: noqa: SLF001, ARG002, ASYNC109 - private parts and signatures are Faust's and aiokafka's


TICK_S, LOOK_S = 0.5, 0.05
SESSION_TIMEOUT_TAKES = (
    "what the broker allows: from its group.min.session.timeout.ms (6000 unless set) "
    "to its group.max.session.timeout.ms (1800000)"
)
RETRY_S, MOST_RETRY_S = 0.2, 3.0
"""Between the attempts to connect."""
Missing = dict[Any, Deleted | Beyond]
"""By topic partition."""


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """aiokafka's consumer on Faust's consumer thread, polled fairly; it also notes heartbeats."""

    heartbeat: tuple[int, float] = (-1, float("-inf"))
    """Generation, and time.monotonic() at which the last heartbeat that succeeded in it was sent."""
    is_member = False
    """It has asked to be let into its group, and has not said good-bye."""
    positions: dict[Any, int]
    """Position of each topic partition after the last poll that took from it."""
    n_ticks = 0
    """Grows every `TICK_S` while the thread runs."""
    _joining: asyncio.Task[bool] | None = None
    _leaves = False
    """It is about to leave its group, and must not join it."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        require_parts(consumer, "_fetch_max_wait_ms", "_isolation_level")
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        # One record of a careless client must not stop its partition.
        read_any_batch(consumer, self.consumer.app.max_unpacked_bytes)
        consumer._isolation_level = "read_committed"  # Faust takes it only together with transactions of its own
        return outlive_leaders(steady(consumer))

    async def on_start(self) -> None:
        """Start the consumer and look over its heartbeats, whose times aiokafka keeps to itself, and its joining."""
        self.positions = {}
        self._committing = Trouble(log, "committing offsets")
        await self._start()
        coordinator = self._ensure_consumer()._coordinator
        require_parts(coordinator, "_send_req", "_do_rejoin_group")
        self.add_future(self._tick())
        self._observe_heartbeats(coordinator)
        self._observe_joining(coordinator)

    def _observe_heartbeats(self, coordinator: Any) -> None:
        send = coordinator._send_req

        async def observed_send(request: Any) -> Any:
            sent_s = time.monotonic()
            self.is_member |= isinstance(request, JoinGroupRequest)
            response = await send(request)
            if isinstance(request, JoinGroupRequest) and response.error_code == InvalidSessionTimeoutError.errno:
                app = self.consumer.app
                app.refused = SettingsError("session_timeout_ms", app.session_timeout_ms, SESSION_TIMEOUT_TAKES)
            if isinstance(request, HeartbeatRequest | SyncGroupRequest) and response.error_code == 0:
                self.heartbeat = (coordinator.generation, sent_s)
            return response

        coordinator._send_req = observed_send

    async def _start(self) -> None:
        """As Faust does, but a broker that is away just now is waited for."""
        trouble, backoff = Trouble(log, "connecting the consumer"), Backoff(RETRY_S, MOST_RETRY_S)
        while True:
            try:
                await super().on_start()
            except KafkaConnectionError as error:
                trouble.begins(repr(error))
                await stop_consumer(self._consumer)
                await asyncio.sleep(backoff.next_s())
            else:
                trouble.ends()
                return

    def _observe_joining(self, coordinator: Any) -> None:
        join = coordinator._do_rejoin_group
        self._left = asyncio.Event()

        async def observed_join(subscription: Any) -> bool:
            if self._leaves:  # a stop that meets a rebalance must not be let in again first
                await asyncio.sleep(LOOK_S)
                return False
            self._joining = joining = asyncio.create_task(join(subscription))
            left = asyncio.create_task(self._left.wait())
            try:
                await asyncio.wait([joining, left], return_when=asyncio.FIRST_COMPLETED)
                # Apache Kafka never answers the request to synchronise of a member that has left.
                return joining.result() if joining.done() else False
            finally:
                await end_tasks([joining, left])

        coordinator._do_rejoin_group = observed_join

    @property
    def joins(self) -> bool:
        """Whether a rebalance is under way: it has given its partitions away, and waits for what it gets."""
        return self._joining is not None and not self._joining.done()

    def stable_offset(self, tp: Any) -> int | None:
        """The last stable offset that came with the last fetch of `tp`, None before the first.

        Raises what aiokafka raises where `tp` is not assigned any more.
        """
        return self._ensure_consumer().last_stable_offset(tp)

    @property
    def generation(self) -> int:
        """The generation of the group in which this process is; -1 before the first, and once it was forgotten."""
        generation: int = self._ensure_consumer()._coordinator.generation
        return generation

    async def _tick(self) -> None:
        while not self.should_stop:
            self.n_ticks += 1
            if ended := revive(self._ensure_consumer()):
                log.warning("reading media: %s; restarted", ended)
            await asyncio.sleep(TICK_S)

    async def on_thread_stop(self) -> None:
        """Leave the group and disconnect, or give up after a while: the broker may be away."""
        self._leaves = True
        # Not Faust's own, which would stop the consumer with no limit; the one below it stops the thread's queue.
        await super(driver.AIOKafkaConsumerThread, self).on_thread_stop()
        if self._consumer is None:
            return
        leaving = asyncio.ensure_future(self._leave_while_it_joins(self._consumer))
        if await stop_consumer(self._consumer, self.consumer.app.stop_limit_s):
            self.is_member = False
        await end_tasks([leaving])

    async def _leave_while_it_joins(self, consumer: Any) -> None:
        """Say good-bye on another connection than the one whose answer, to the request to join, may take a session.

        Answers of one connection come in order, so aiokafka's own good-bye would wait for it.
        """
        coordinator = consumer._coordinator
        if not self.joins or not coordinator.member_id or coordinator.coordinator_id is None:
            return
        request = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
        try:
            await consumer._client.send(coordinator.coordinator_id, request, group=ConnectionGroup.DEFAULT)
        except KafkaError as error:
            log.info("the group could not be left while it rebalanced: %r", error)
        else:
            coordinator.reset_generation()
            self._left.set()

    def close(self) -> None:
        """Nothing. Faust calls it, on the application's loop, when a stop meets a rebalance; `on_thread_stop` closes.

        Faust's own has that other loop close the consumer: after it the group could not be left any more, and the
        thread failed ("await wasn't used with future") on what both awaited.
        """

    async def _fetch_records(
        self, consumer: Any, active_partitions: Any, timeout: float | None = None, max_records: int | None = None
    ) -> dict[Any, tuple[list[Any], int, Deleted | Beyond | None]]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        records: dict[Any, list[Any]] = {}
        missing = await self._beyond_the_end(consumer, active_partitions)
        with fetcher._subscriptions.fetch_context():
            for tp in active_partitions & fetcher._records.keys():
                records |= await self._take(consumer, {tp}, 0, missing)
            moved = dict(self._moved(consumer, active_partitions))
            if not moved and not missing:
                await self._wait_for_a_fetch(fetcher, timeout)
                records = await self._take(consumer, active_partitions, 0, missing)
        moved |= self._moved(consumer, active_partitions)
        moved |= {tp: found.offset for tp, found in missing.items() if isinstance(found, Beyond)}
        return {tp: (records.get(tp, []), position, missing.get(tp)) for tp, position in moved.items()}

    async def _wait_for_a_fetch(self, fetcher: Any, limit_s: float | None) -> None:
        # aiokafka's own waiting goes on where a fetch has brought no record: a transaction's mark, aborted ones. The
        # position behind them would be told half a second later, and by then the topic counts as one that is behind.
        waiter = fetcher._create_fetch_waiter()
        try:
            await asyncio.wait([waiter], timeout=limit_s)
            if waiter.done():
                waiter.result()  # raises what the group's coordinator has refused for good
        finally:
            waiter.cancel()

    async def _take(self, consumer: Any, tps: Any, timeout: float | None, missing: Missing) -> dict[Any, list[Any]]:
        """What was fetched of these topic partitions; one that lacks the offset asked for is put into `missing`."""
        try:
            n_records: int = self.consumer.app.records_per_poll
            return await consumer._fetcher.fetched_records(tps, timeout=timeout, max_records=n_records)
        except OffsetOutOfRangeError as error:
            for tp, offset in error.args[0].items():
                if (found := await find_missing(consumer, tp, offset)) is not None:
                    missing[tp] = found
        except NoOffsetForPartitionError:  # of an assignment that begins just now: `perform_seek` follows
            pass
        except (KafkaError, RuntimeError) as error:
            if type(error) not in (KafkaError, RuntimeError):
                raise
            log.info("a poll found that a routine has ended: %r", error)  # `_tick` restarts it
        return {}

    async def _beyond_the_end(self, consumer: Any, tps: Iterable[Any]) -> Missing:
        # Tansu does not refuse a fetch beyond the end: it waits, and tells the high watermark.
        found: Missing = {}
        for tp, state in self._states(consumer, tps):
            if state.highwater is not None and state.position > state.highwater:
                missing = await find_missing(consumer, tp, state.position)
                if missing is not None:
                    found[tp] = missing
        return found

    def _moved(self, consumer: Any, tps: Iterable[Any]) -> Iterator[tuple[Any, int]]:
        """Topic partitions whose position is not what it was after the last poll; a mark without records moves it."""
        for tp, state in self._states(consumer, tps):
            if self.positions.get(tp) != state.position:
                self.positions[tp] = state.position
                yield tp, state.position

    def _states(self, consumer: Any, tps: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """aiokafka's state of each topic partition that is assigned and has a position."""
        assignment = consumer._subscription.subscription.assignment
        for tp in tps:
            state = assignment.state_value(tp) if assignment is not None else None
            if state is not None and state.has_valid_position:
                yield tp, state

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        wanted = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        try:
            await self._ensure_consumer().commit(wanted)
        except (CommitFailedError, IllegalStateError) as error:
            log.info("offsets were not committed, the group has moved on: %s", error)
        except KafkaError as error:  # Faust would end the worker
            self._committing.begins(repr(error))
        else:
            self._committing.ends()
            return True
        return False
