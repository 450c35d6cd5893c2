"""A worker with converters: every event's conversions, whatever is slow and whatever is killed."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streams.join.settings import JoinSettings
from syncline.wire.contract import CONVERTED_AUDIO, CONVERTED_TEXT
from tests.support.brokers import TestBroker
from tests.support.converters import Gate
from tests.support.judge import Reader
from tests.support.moments import Sent, moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess
from verify import History, check, read_history, watch_commits
from verify.history import PublishedConversion

N_PARTITIONS = 2
N_MOMENTS = 30
KINDS = ("transcript", "speech")
OWN = "python:tests/support/converters.py"
BOTH = f"transcript={OWN}:SlowSpelling,speech={OWN}:Humming"


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Where the workers that are started here wait with their transcripts while it is shut."""
    monkeypatch.setenv("CONVERT_GATE", str(tmp_path / "gate"))
    return Gate(tmp_path / "gate")


async def send_all(broker: TestBroker, prefix: str) -> Sent:
    """Moments of a picture, a text and a clip, of which a fifth is missing."""
    await make_topics(broker.address, prefix, N_PARTITIONS)
    samples = moments(N_MOMENTS, missing=0.2, seed=5)
    return await send(broker.address, prefix, samples, N_PARTITIONS)


async def until_committed(broker: TestBroker, prefix: str, sent: Sent, limit_s: float = 300.0) -> None:
    """Wait until the group has committed everything that was sent."""
    ends: Counter[tuple[str, int]] = Counter()
    for topic, partition, offset in sent.records:
        ends[topic, partition] = max(ends[topic, partition], offset + 1)
    async with (
        watch_commits(broker.address, topic_prefix=prefix, group=prefix + "workers") as sample,
        asyncio.timeout(limit_s),
    ):
        while True:
            committed = (await sample()).committed
            if all(committed.get(place, 0) >= end for place, end in ends.items()):
                return
            await asyncio.sleep(0.1)


async def history_of(broker: TestBroker, prefix: str) -> History:
    """What the topics and the group say now."""
    return await read_history(broker.address, topic_prefix=prefix, group=prefix + "workers")


def converted(history: History, topic: str) -> list[PublishedConversion]:
    """All conversions in a topic."""
    found: list[Any] = [record for one in history.partitions for record in one.published.get(topic, [])]
    return [record for record in found if isinstance(record, PublishedConversion)]


def judged(history: History, *, finished: bool = True) -> list[str]:
    """What is wrong, conversions included."""
    report = check(history, JoinSettings(max_wait_ms=500), finished=finished, convert=KINDS)
    return [str(violation) for violation in report.violations]


async def test_every_event_is_converted_in_a_set_or_not(broker: TestBroker, topic_prefix: str) -> None:
    """Each transcript and each speech once, before its record is committed; it names the set that it is in."""
    sent = await send_all(broker, topic_prefix)
    async with (
        WorkerProcess(broker, topic_prefix, max_wait_ms=500, convert=BOTH) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), 90)
        assert outcomes.violations(sent) == [], worker.log()
        await until_committed(broker, topic_prefix, sent)
        assert (await worker.scrape()).value("conversions_total", kind="speech", outcome="made") > 0
        assert (await worker.terminate())[0] == 0, worker.log()
    history = await history_of(broker, topic_prefix)
    assert judged(history) == []
    n_events = Counter(topic for topic, _, _ in sent.records)
    texts, sounds = converted(history, CONVERTED_TEXT), converted(history, CONVERTED_AUDIO)
    assert (len(texts), len(sounds)) == (n_events["media.audio"], n_events["media.text"])
    assert {one.set_id for one in (*texts, *sounds)} - {""} <= set(outcomes.fused)


async def test_a_slow_converter_holds_up_no_set_and_no_outcome(
    broker: TestBroker, topic_prefix: str, gate: Gate
) -> None:
    """All results are out while not one transcript is; what waits for one is not committed."""
    gate.shut()
    sent = await send_all(broker, topic_prefix)
    async with (
        WorkerProcess(broker, topic_prefix, max_wait_ms=500, convert=BOTH) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await reader.read_until(lambda seen: not seen.undecided(sent), 90)
        history = await history_of(broker, topic_prefix)
        assert converted(history, CONVERTED_TEXT) == []
        assert judged(history, finished=False) == []
        committed = history.commits[-1].committed
        first = min(offset for topic, _, offset in sent.records if topic == "media.audio")
        assert all(committed.get(("media.audio", number), 0) <= first for number in range(N_PARTITIONS))
        gate.open()
        await until_committed(broker, topic_prefix, sent)
        assert (await worker.terminate())[0] == 0, worker.log()
    assert judged(await history_of(broker, topic_prefix)) == []


async def test_a_kill_between_result_and_conversion_loses_neither(
    broker: TestBroker, topic_prefix: str, gate: Gate
) -> None:
    """Whoever comes next says the set again, with the same id, and converts."""
    gate.shut()
    sent = await send_all(broker, topic_prefix)
    async with (
        WorkerProcess(broker, topic_prefix, max_wait_ms=500, convert=BOTH) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await reader.read_until(lambda seen: not seen.undecided(sent), 90)
        worker.kill()
        gate.open()
        worker.start()
        await until_committed(broker, topic_prefix, sent)
        outcomes = await reader.read_rest()
        assert outcomes.violations(sent) == [], worker.log()
        assert outcomes.n_repeats > 0
    history = await history_of(broker, topic_prefix)
    assert judged(history) == []
    assert len({one.id for one in converted(history, CONVERTED_TEXT)}) == len(
        [place for place in sent.records if place[0] == "media.audio"]
    )


async def test_a_worker_that_is_stopped_leaves_what_is_not_converted_to_the_next(
    broker: TestBroker, topic_prefix: str, gate: Gate
) -> None:
    """In its time and without complaint: the results are out, and nothing is lost."""
    gate.shut()
    sent = await send_all(broker, topic_prefix)
    async with (
        WorkerProcess(broker, topic_prefix, max_wait_ms=500, convert=BOTH, stop_limit_ms=5_000) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await reader.read_until(lambda seen: not seen.undecided(sent), 90)
        code, _ = await worker.terminate(10.0)
        assert code == 0, worker.log()
        assert "published without their conversions" in worker.log()
        gate.open()
        worker.start()
        await until_committed(broker, topic_prefix, sent)
    history = await history_of(broker, topic_prefix)
    assert judged(history) == []
