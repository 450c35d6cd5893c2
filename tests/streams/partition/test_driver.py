"""streams/partition/driver.py: what a driver does about faults of its own process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from models.interface import Prepared
from streams.decisions.owner import PartitionOwner
from streams.decisions.records import Record
from streams.join.settings import JoinSettings
from streams.kafka.batch_consumer import FetchedBatch
from streams.kafka.cluster_watch import Counted
from streams.kafka.consumer_thread import Start
from streams.meter import Meter
from streams.partition.context import Assigned, WorkerContext
from streams.partition.decode import Decoder
from streams.partition.driver import PartitionDriver
from streams.settings import WorkerSettings
from syncline.wire.contract import MEDIA_TOPICS
from syncline.wire.placement import partition_for
from syncline.wire.results import ModelInfo
from tests.support.raw import event, raw

HERE = partition_for(b"s", 4)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """The decode threads."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


def no_memory_for_bad(modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
    """A model that runs out of memory at one record."""
    if data == b"bad":
        raise MemoryError
    return Prepared(None)


def driver_with(generation: int = 1, n_shares: int = 1, **context: Any) -> PartitionDriver:
    """A driver that generation 1 assigned, of a process that is in `generation` now."""
    nothing: Any = Mock()
    given: dict[str, Any] = {
        "settings": WorkerSettings(), "model_info": ModelInfo("null", "1"), "pool": nothing, "producer": nothing,
        "tail": nothing, "decoder": Decoder(JoinSettings(), 4, no_memory_for_bad, 100), "fuse": None,
        "recoveries": asyncio.Semaphore(1), "cluster": nothing, "now_ms": lambda: 0,
        "consumer": Mock(heartbeat=(1, 0), generation=generation),
        "on_broken": nothing, "n_partitions": 4, "counted": Counted(lambda: 0),
    }  # fmt: skip
    starts = dict.fromkeys(MEDIA_TOPICS, Start(None, 0))
    return PartitionDriver(
        WorkerContext(**{**given, **context}),
        Assigned(epoch=1, generation=1, partition=HERE, starts=starts, worker="w", n_shares=n_shares),
    )


async def test_it_holds_and_decodes_its_share_of_the_workers_limits(pool: ThreadPoolExecutor) -> None:
    """A sixteenth of what the worker may hold is over with one record, which one that owns all of it takes."""
    limits = WorkerSettings(join=JoinSettings(max_held_events=16, max_held_bytes=48_000))
    decode = Mock(decode=lambda topic, partition, raws: [Record(one.offset, None, None, 1, one) for one in raws])
    for n_shares, full in ((1, False), (16, True)):
        driver = driver_with(n_shares=n_shares, settings=limits, pool=pool, decoder=decode)
        assert driver.owner.share.events == 16 // n_shares
        driver.deliver("media.text", FetchedBatch(1, "media.text", HERE, [raw(value=b"x" * 1_000)], 1))
        assert driver._decoding["media.text"].full == full
        driver.stop()


async def test_a_share_changes_while_it_runs() -> None:
    """Both what is held and what is decoded at once."""
    driver = driver_with(settings=WorkerSettings(join=JoinSettings(max_held_events=16, max_held_bytes=48_000)))
    driver.share_limits(4)
    assert driver.owner.share == (4, 12_000)
    assert {decoding.max_bytes for decoding in driver._decoding.values()} == {4_000}
    driver.stop()


@pytest.mark.parametrize(("generation", "n_left"), [(1, 1), (-1, 0), (2, 0)], ids=["member", "forgotten", "rejoined"])
async def test_of_a_worker_that_the_group_has_forgotten_nothing_is_expected(
    generation: int, n_left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has its partition finds in the log what is left; of a member it is said."""
    driver = driver_with(generation)
    driver.state = "nobody can help"
    monkeypatch.setattr(driver.owner, "execution", SimpleNamespace(n_to_do=3))
    assert len(await driver.hand_over(1.0)) == n_left


async def test_records_that_could_not_be_decoded_end_the_worker_and_are_never_passed_over(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker without memory knows nothing of the record: were it passed over, it would be acknowledged unseen."""
    broken, ended = list[BaseException](), asyncio.Event()

    def on_broken(error: BaseException) -> None:
        broken.append(error)
        ended.set()

    driver = driver_with(pool=pool, on_broken=on_broken)
    taken, positions = list[int](), list[int]()

    def on_records(topic: str, records: list[Record], now_ms: int) -> None:
        taken.extend(record.offset for record in records)

    monkeypatch.setattr(driver.owner, "on_records", on_records)
    monkeypatch.setattr(driver.owner, "on_position", lambda topic, offset, now_ms: positions.append(offset))
    records = [raw(offset=offset, value=b"bad" if offset == 70 else b"x") for offset in range(200)]
    driver.deliver("media.image", FetchedBatch(1, "media.image", HERE, records, 200))
    async with asyncio.timeout(300):
        await ended.wait()
        await asyncio.to_thread(pool.shutdown)
        await asyncio.sleep(0)
    assert isinstance(broken[0], MemoryError)
    assert taken == list(range(64)), "the chunk before the fault, and nothing behind it"
    assert positions == []


async def test_what_seems_misrouted_waits_until_the_partitions_were_counted_again(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topics may have grown, and its producer know it; what comes behind it keeps its place."""
    now_ms, taken = 10, list[int]()
    counted = Counted(lambda: 0)
    driver = driver_with(pool=pool, now_ms=lambda: now_ms, counted=counted)

    def on_records(topic: str, records: list[Record], now_ms: int) -> None:
        taken.extend(record.offset for record in records)

    monkeypatch.setattr(driver.owner, "on_records", on_records)
    monkeypatch.setattr(driver.owner, "on_position", lambda topic, offset, now_ms: taken.append(-offset))
    stray = next(str(n).encode() for n in range(99) if partition_for(str(n).encode(), 4) != HERE)
    records = [raw(event(stream=(stray if offset == 70 else b"s").decode()), offset=offset) for offset in range(100)]
    driver.deliver("media.image", FetchedBatch(1, "media.image", HERE, records, 100))
    async with asyncio.timeout(300):
        await counted.wanted.wait()
        assert taken == list(range(64))
        counted.confirm(now_ms - 1)
        await counted.wanted.wait()
        assert taken == list(range(64))
        counted.confirm(now_ms)
        while taken != [*range(100), -100]:  # noqa: ASYNC110 (the driver looks again by itself)
            await asyncio.sleep(0.005)


async def test_what_is_forgotten_because_it_is_too_much_is_said_once_a_worker(caplog: pytest.LogCaptureFixture) -> None:
    """Each kind, with its setting; the metric counts on."""
    meter = Meter()
    drivers = [driver_with(meter=meter), driver_with(meter=meter)]
    for driver in (*drivers, *drivers):
        meter.counters.forgotten["lanes"] += 1
        driver._step()
    meter.counters.forgotten["ids"] += 1
    drivers[0]._step()
    said = [one.getMessage() for one in caplog.records]
    assert [("max_streams=20000" in one, "max_remembered_ids=60000" in one) for one in said] == [
        (True, False),
        (False, True),
    ]
    for driver in drivers:
        driver.stop()


async def test_a_snapshot_is_cut_without_waiting_for_the_next_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step in each round of the loop, so that handing over waits for it and nothing else does."""
    driver, n_ticks, done = driver_with(), list[int](), asyncio.Event()

    def tick(now_ms: int) -> None:
        n_ticks.append(now_ms)
        if len(n_ticks) == 5:
            done.set()

    monkeypatch.setattr(PartitionOwner, "wants_tick", property(lambda _: not done.is_set()))
    monkeypatch.setattr(driver.owner, "tick", tick)
    driver.state = ""
    driver.schedule()
    async with asyncio.timeout(300):
        await done.wait()
    driver.stop()
