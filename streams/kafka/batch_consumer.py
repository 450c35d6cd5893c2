"""Delivers records from Faust's consumer in batches, and commits resolved prefixes.

Faust delivers one record at a time, through two tasks each, and commits what its gap logic makes of single
acknowledgements. This consumer delivers the records of one topic partition from one poll as one message, and commits
exactly the prefix that it was given. The private parts of Faust and aiokafka used for this are here and in
`streams.kafka.consumer_thread`, pinned by tests/streams/kafka/test_batch_consumer.py, because a new version may move
them.

What each part avoids (docs/design.md, section 6, has the whole table):

- `Consumer._new_offset` commits past an open event: here `resolve` sets the offset to commit.
- `Consumer.ack` takes messages of an older generation: here each assignment has an epoch, and others are ignored.
- `pause_partitions` drops fetched records: here a paused topic is left out of the next poll, and what was fetched
  before is still delivered.
- A poll that began before a rebalance may take records of the new assignment and deliver them late, or lose them:
  here seeking waits for the running poll, and a poll of an older epoch is dropped before the seek.
- Partitions without a committed offset are never sought: here they are, to their start.
- An offset that a topic does not have is reset by a policy and hardly reported: here it is passed on (`missing`).
- `fetch_max_wait_ms` is fixed at 1,500, during which no other partition of the same broker is fetched: here it is
  `FETCH_MAX_WAIT_MS`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# ruff: noqa: ARG002, ASYNC109 - private parts and signatures are Faust's and aiokafka's

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

from aiokafka.errors import IllegalStateError
from aiokafka.structs import TopicPartition

from streams.kafka.consumer_thread import BatchConsumerThread, Beyond, Deleted, Start
from streams.kafka.faust import driver

log = logging.getLogger(__name__)

RECORDS_PER_POLL = 200
"""Limit of one topic partition; bounds how far a poll can exceed the limit of held records."""
POLL_S = 0.5
COMMIT_AGAIN_S = 0.05
"""Pause between attempts of an assignment's last commit, s."""
POLL_WHILE_HELD_S = 0.02
"""Length of polls while a topic is paused: a resumed one is only read by the next poll."""


class Ends(NamedTuple):
    """The ends of one topic partition.

    `stable`: its last stable offset, below which every transaction has ended; workers read up to it. `high`: its high
    watermark, which is higher while a transaction is open.
    """

    stable: int
    high: int


class FetchedBatch(NamedTuple):
    """The records of one topic partition from one poll, in offset order."""

    epoch: int
    topic: str
    partition: int
    records: list[Any]
    next_offset: int
    """Every offset below it was delivered with this batch, or is not a record (a transaction marker, deleted)."""
    missing: Deleted | Beyond | None = None
    """Set if the topic lacked the offset to be read next, before these records."""


class AssignmentListener(Protocol):
    """Called on assignments, on the main loop."""

    async def on_assigned(self, epoch: int, generation: int, starts: Mapping[TopicPartition, Start]) -> None:
        """Begin an assignment; `starts` has the offset from which each topic partition is read."""
        ...

    async def on_revoked(self) -> None:
        """End the assignment: nothing of it may act after this returns. What it resolved is committed then."""
        ...


class BatchConsumer(driver.Consumer):
    """Faust's consumer, which delivers batches and commits the resolved prefix of the present assignment."""

    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.epoch = 0
        self._resolved: dict[Any, int] = {}
        self._held: set[Any] = set()
        self._polling = asyncio.Lock()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def heartbeat(self) -> tuple[int, float]:
        """The generation, and the time.monotonic() at which its last successful heartbeat was sent."""
        return self._thread.heartbeat

    @property
    def generation(self) -> int:
        """The group generation of this process; -1 before the first, and after the group has forgotten it."""
        return self._thread.generation

    @property
    def n_ticks(self) -> int:
        """Increases while the consumer's thread runs, which sends heartbeats and fetches records."""
        return self._thread.n_ticks

    def fetched_ends(self, tp: Any) -> Ends:
        """Return the ends that the last fetch told; zeros before the first fetch and if not assigned."""
        try:
            high, stable = self.highwater(tp) or 0, self._thread.stable_offset(tp)
        except (AssertionError, AttributeError, IllegalStateError):
            # The assignment just ended on the consumer's thread: aiokafka's assertion fails, or a state is None.
            return Ends(0, 0)
        return Ends(high if stable is None or stable < 0 else min(stable, high), high)  # brokers before 0.11 say none

    def hold(self, epoch: int, tp: Any, held: bool) -> None:
        """Pause or resume a topic partition, from the next poll on."""
        if epoch == self.epoch:
            (self._held.add if held else self._held.discard)(tp)

    def resolve(self, epoch: int, tp: Any, next_offset: int) -> None:
        """Note that every record below `next_offset` is resolved; the next interval commits it."""
        if epoch == self.epoch and next_offset > self._resolved.get(tp, -1):
            self._resolved[tp] = next_offset

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        """Yield each topic partition's records of one poll as one message whose value is a `FetchedBatch`."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        async with self._polling:
            epoch = self.epoch
            wanted = frozenset[Any](self._get_active_partitions() - self._held if self.flow_active else ())
            limit_s = POLL_WHILE_HELD_S if self._held else POLL_S
            records: dict[Any, Any] = await self._getmany(wanted, limit_s) if wanted else {}
        if not wanted:
            await self.sleep(POLL_WHILE_HELD_S)
        for tp, polled in records.items():
            if epoch != self.epoch or not self.flow_active:
                return
            name = driver.TP(*tp)
            yield name, self._to_message(name, FetchedBatch(epoch, name.topic, name.partition, *polled))

    def _to_message(self, tp: Any, record: Any) -> Any:
        """Make one message for a batch; its offset is the batch's end, and it is never acknowledged."""
        generation = self.app.consumer_generation_id
        return driver.ConsumerMessage(
            topic=tp.topic, partition=tp.partition, offset=record.next_offset, timestamp=0.0, timestamp_type=0,
            headers=[], key=None, value=record, checksum=None, serialized_key_size=0, serialized_value_size=0, tp=tp,
            generation_id=generation,
        )  # fmt: skip

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        """Let Faust begin an assignment; tell the listener of an empty one here, since nothing is sought for it."""
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            self._begin_assignment({})
            await self.app.listener.on_assigned(self.epoch, generation_id, {})

    async def perform_seek(self) -> None:
        """Begin an assignment: seek the committed offsets, or the start, and tell the listener."""
        async with self._polling:
            epoch = self.epoch
            starts = await self._find_starts()
            await self.seek_wait({tp: start.offset for tp, start in starts.items()})
            if epoch != self.epoch:  # the assignment has ended meanwhile
                return
            self._committed_offset.update({tp: start.committed or None for tp, start in starts.items()})
            self._begin_assignment(starts)
        self.app.n_shares = max(1, len({tp.partition for tp in starts}))
        await self.app.listener.on_assigned(self.epoch, self.app.consumer_generation_id, starts)

    def _begin_assignment(self, starts: Mapping[Any, Start]) -> None:
        self.epoch += 1
        self._resolved.clear()
        self._held = set(starts)  # until their partition number has recovered
        self._thread.positions.clear()

    async def _find_starts(self) -> dict[Any, Start]:
        committed = {driver.TP(*tp): offset for tp, offset in (await self.seek_to_committed()).items()}
        fresh = [tp for tp, offset in committed.items() if offset is None]
        begins = await self.earliest_offsets(*fresh) if fresh else {}
        return {tp: Start(at, begins[tp] if at is None else at) for tp, at in committed.items()}

    @property
    def is_member(self) -> bool:
        """Whether it has asked to join its group and has not left it."""
        return self._thread.is_member

    async def commit_all(self, limit_s: float) -> bool:
        """Commit all that is resolved; return False if the broker did not accept it within `limit_s`.

        A commit beside another one only waits for it, and treats a cancellation as the end of that wait. So do not
        cancel it; try again.
        """
        until_s = time.monotonic() + limit_s
        while not self._all_committed and (left_s := until_s - time.monotonic()) > 0:
            await asyncio.wait([asyncio.ensure_future(self.commit())], timeout=left_s)
            await asyncio.sleep(0 if self._all_committed else COMMIT_AGAIN_S)
        return self._all_committed

    @property
    def _all_committed(self) -> bool:
        return all(self._committed_offset.get(tp) == offset for tp, offset in self._resolved.items())

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """End the assignment: let the listener stop, then commit what it resolved."""
        await self.app.listener.on_revoked()
        if not await self.commit_all(self.app.commit_limit_s):
            log.warning("not all resolved records were committed before a rebalance: some results may come twice")
        self.epoch += 1
        self._resolved.clear()
        await super().on_partitions_revoked(revoked)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[Any]:
        return iter(list(self._resolved))

    def _new_offset(self, tp: Any) -> int | None:
        return self._resolved.get(tp)

    async def _commit_tps(self, tps: Iterable[Any], start_new_transaction: bool) -> bool:
        epoch, offsets = self.epoch, self._filter_committable_offsets(tps)
        if not offsets or not await self._commit(offsets):
            return False
        if epoch == self.epoch:
            self._committed_offset.update(offsets)
        return True

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Do nothing: Faust's alarms do not know batches; /readyz gives the reasons."""


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport with `BatchConsumer`."""

    Consumer: ClassVar[Any] = BatchConsumer
