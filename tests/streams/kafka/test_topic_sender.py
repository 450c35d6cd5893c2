"""streams/kafka/topic_sender.py: order and repeats of what is published, and what comes later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from streams.decisions.records import Task
from streams.join.items import RunDecision
from streams.kafka import topic_sender as outbox_module
from streams.kafka.producer import Producer
from streams.kafka.retry import Backoff
from streams.kafka.topic_sender import TopicSender
from syncline.wire.results import OutgoingRecord


class Broker:
    """Stands for the producer: takes at most `room` records at a time, fails as often as told."""

    def __init__(self, room: int = 3) -> None:
        self.room, self.n_failures = room, 0
        self.sent: list[tuple[str, bytes]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def takes(self, topic: str, record: OutgoingRecord) -> bool:
        return False

    async def send(self, topic: str, partition: int, records: Sequence[OutgoingRecord]) -> int:
        await self.open.wait()
        if self.n_failures:
            self.n_failures -= 1
            raise KafkaTimeoutError
        taken = records[: self.room]
        self.sent += [(topic, record.value) for record in taken]
        return len(taken)


def task() -> Task:
    return Task(RunDecision("media.image", 0, 0, "unfused", "late"), [("media.image", 0)], 0)


def record(topic: str, value: int) -> OutgoingRecord:
    return OutgoingRecord(topic, b"k", b"%d" % value, [])


class Published:
    """Collects the tasks that are on the broker."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self._changed = asyncio.Event()

    def __call__(self, tasks: list[Task]) -> None:
        self.tasks += tasks
        self._changed.set()

    async def until(self, n_tasks: int) -> None:
        async with asyncio.timeout(300):
            while len(self.tasks) < n_tasks:
                self._changed.clear()
                await self._changed.wait()


def _nothing_breaks(error: BaseException) -> None:
    raise AssertionError from error


def outbox(
    broker: Broker,
    published: Callable[[list[Task]], None],
    on_broken: Callable[[BaseException], None] = _nothing_breaks,
    sent: Callable[[list[Task]], None] = lambda tasks: None,
    too_large: Callable[[Task], None] = lambda task: None,
) -> TopicSender:
    return TopicSender(cast(Producer, broker), "p.", 0, sent, published, on_broken, too_large)


async def test_each_topic_keeps_its_order_over_batches_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed send is repeated before anything later goes."""
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.001)
    broker, published = Broker(), Published()
    broker.n_failures = 2
    box = outbox(broker, published)
    tasks = [task() for _ in range(20)]
    for number, one in enumerate(tasks):
        box.put(one, [record("a", number), record("b", number)])
    await published.until(20)
    for topic in ("p.a", "p.b"):
        assert [value for name, value in broker.sent if name == topic] == [b"%d" % n for n in range(20)]
    assert set(published.tasks) == set(tasks)
    assert box.failing == {}
    box.close()


async def test_a_task_is_published_when_all_its_records_are_on_the_broker() -> None:
    """Not when its first is; one without records is at once."""
    broker, published = Broker(), Published()
    box = outbox(broker, published)
    broker.open.clear()
    both, none = task(), task()
    box.put(both, [record("a", 1), record("b", 1)])
    box.put(none, [])
    assert published.tasks == [none]
    broker.open.set()
    await published.until(2)
    assert published.tasks == [none, both]
    assert len(broker.sent) == 2
    box.close()


async def test_the_end_of_a_sender_is_not_overlooked() -> None:
    """Its topic would stand still for good while everything else goes on: whoever keeps the outbox is told."""
    broken: asyncio.Queue[BaseException] = asyncio.Queue()

    def refuse(tasks: list[Task]) -> None:
        raise ValueError("nobody foresaw this")

    box = outbox(Broker(), refuse, broken.put_nowait)
    box.put(task(), [record("a", 1)])
    assert "nobody foresaw this" in str(await asyncio.wait_for(broken.get(), 300))
    box.put(task(), [record("b", 1)])
    for sender in asyncio.all_tasks():
        if sender.get_name() == "outbox-b-0":
            sender.cancel()
    assert "was cancelled" in str(await asyncio.wait_for(broken.get(), 300))
    box.close()
    await asyncio.sleep(0)
    assert broken.empty()


async def test_a_topic_that_fails_is_named_and_does_not_hold_up_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reason is there for /readyz as long as it lasts."""
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.001)

    class OneFails(Broker):
        async def send(self, topic: str, partition: int, records: Sequence[OutgoingRecord]) -> int:
            if topic == "p.bad":
                raise KafkaTimeoutError
            return await super().send(topic, partition, records)

    broker, published = OneFails(), Published()
    box = outbox(broker, published)
    box.put(task(), [record("bad", 1)])
    good = task()
    box.put(good, [record("good", 1)])
    await published.until(1)
    assert published.tasks == [good]
    async with asyncio.timeout(300):
        while "bad" not in box.failing:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0)
    box.close()


class Small(Broker):
    """Refuses what has a value of more than `limit` bytes; while `is_out`, it will take it later."""

    def __init__(self, limit: int) -> None:
        super().__init__(room=1)
        self.limit, self.is_out = limit, False

    async def takes(self, topic: str, record: OutgoingRecord) -> bool:
        return self.is_out

    async def send(self, topic: str, partition: int, records: Sequence[OutgoingRecord]) -> int:
        if len(records[0].value) > self.limit:
            raise MessageSizeTooLargeError
        return await super().send(topic, partition, records)


async def until_failing(box: TopicSender, topic: str) -> None:
    async with asyncio.timeout(300):
        while topic not in box.failing:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0)


async def test_a_dead_letter_that_its_topic_does_not_take_goes_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sent again and again as it is, it would stop all that is behind it."""
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.001)
    broker, published = Small(100), Published()
    box = outbox(broker, published)
    box.put(task(), [OutgoingRecord("deadletter", b"k", bytes(101), []), record("deadletter", 1)])
    await published.until(1)
    assert broker.sent == [("p.deadletter", b""), ("p.deadletter", b"1")]
    box.close()


async def test_nothing_is_cut_while_a_topic_takes_nothing_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage may look like a limit; what it refuses goes whole once it is over."""
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.001)
    broker, published = Small(0), Published()
    broker.is_out = True
    box = outbox(broker, published)
    box.put(task(), [OutgoingRecord("deadletter", b"k", bytes(101), [])])
    await until_failing(box, "deadletter")
    broker.limit = 200
    await published.until(1)
    assert broker.sent == [("p.deadletter", bytes(101))]
    assert box.failing == {}
    box.close()


async def test_a_result_that_no_cut_makes_small_enough_keeps_its_place_until_it_is_replaced() -> None:
    """What is behind it in its topic waits: until its set's failure is in the log, somebody may still publish it."""
    broker, published, too_large = Small(100), Published(), asyncio.Queue[Task]()
    box = outbox(broker, published, too_large=too_large.put_nowait)
    fat, next_one = task(), task()
    box.put(fat, [OutgoingRecord("results.fused", b"k", bytes(101), [])])
    box.put(next_one, [record("results.fused", 2), record("converted.text", 3)])
    assert await asyncio.wait_for(too_large.get(), 300) is fat
    assert broker.sent == [("p.converted.text", b"3")] or not broker.sent
    assert published.tasks == []
    assert not box.replace(next_one, [])
    assert box.replace(fat, [record("deadletter", 1)])
    await published.until(2)
    assert set(published.tasks) == {fat, next_one}
    assert sorted(broker.sent) == [("p.converted.text", b"3"), ("p.deadletter", b"1"), ("p.results.fused", b"2")]
    box.close()


async def test_a_result_whose_members_are_all_gone_is_replaced_by_nothing() -> None:
    """Its task is published then, and what waits behind it goes on."""
    broker, published, too_large = Small(100), Published(), asyncio.Queue[Task]()
    box = outbox(broker, published, too_large=too_large.put_nowait)
    fat = task()
    box.put(fat, [OutgoingRecord("results.fused", b"k", bytes(101), [])])
    await asyncio.wait_for(too_large.get(), 300)
    assert box.replace(fat, [])
    assert published.tasks == [fat]
    behind = task()
    box.put(behind, [record("results.fused", 1)])
    await published.until(2)
    box.close()


async def test_a_topic_that_fails_is_asked_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits grow up to a few seconds, and are short again after a success; others go on meanwhile."""
    waits: list[float] = []

    class Noting(Backoff):
        def next_s(self) -> float:
            waits.append(super().next_s())
            return 0.0

    monkeypatch.setattr(outbox_module, "Backoff", Noting)
    broker, published = Broker(), Published()
    broker.n_failures = 40
    box = outbox(broker, published)
    box.put(task(), [record("a", 1)])
    await published.until(1)
    assert len(waits) == 40
    assert waits[0] <= outbox_module.RETRY_S
    assert outbox_module.MOST_RETRY_S / 2 <= min(waits[8:]) <= max(waits) <= outbox_module.MOST_RETRY_S
    broker.n_failures = 1
    box.put(task(), [record("a", 2)])
    await published.until(2)
    assert waits[-1] <= outbox_module.RETRY_S
    box.close()


async def test_an_outage_is_said_when_it_begins_and_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at each attempt: it may last for hours."""
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.0001)
    monkeypatch.setattr(outbox_module, "MOST_RETRY_S", 0.0001)
    broker, published = Broker(), Published()
    broker.n_failures = 500
    box = outbox(broker, published)
    box.put(task(), [record("a", 1)])
    await published.until(1)
    begun, over = (one.getMessage() for one in caplog.records if one.name == outbox_module.__name__)
    assert "sending to a, partition 0, fails" in begun
    assert "works again" in over
    box.close()


async def test_a_long_queue_is_not_copied_for_each_batch() -> None:
    """The producer is offered about twice what it took last."""
    offered: list[int] = []

    class One(Broker):
        async def send(self, topic: str, partition: int, records: Sequence[OutgoingRecord]) -> int:
            offered.append(len(records))
            return await super().send(topic, partition, records)

    published = Published()
    box = outbox(One(room=1), published)
    for number in range(3_000):
        box.put(task(), [record("a", number)])
    await published.until(3_000)
    assert sum(offered) <= 20 * 3_000
    box.close()


async def test_what_comes_later_holds_up_nothing_but_the_end() -> None:
    """A result is out, and is told to be out, before its conversions are; the task is done when all of it is."""
    broker, published, sent = Broker(), Published(), Published()
    box = outbox(broker, published, sent=sent)
    slow, quick, next_one = task(), task(), task()
    pending = box.put(slow, [record("a", 1)], n_later=2)
    box.put(quick, [record("a", 2)])
    await sent.until(2)
    assert published.tasks == [quick]
    box.add(pending, record("b", 3))
    box.put(next_one, [record("b", 4)])
    await published.until(2)
    assert published.tasks == [quick, next_one]
    box.add(pending, record("b", 5))
    await published.until(3)
    assert published.tasks == [quick, next_one, slow]
    assert sent.tasks == [slow, quick, next_one]
    box.close()


async def test_a_task_of_conversions_alone_waits_for_them() -> None:
    """What has no record of its own is sent at once, and published with what comes later."""
    broker, published, sent = Broker(), Published(), Published()
    box, one = outbox(broker, published, sent=sent), task()
    pending = box.put(one, [], n_later=1)
    assert (sent.tasks, published.tasks) == ([one], [])
    box.add(pending, record("b", 1))
    await published.until(1)
    box.close()
