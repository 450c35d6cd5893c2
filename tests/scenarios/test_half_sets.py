"""A worker is killed while a set is halfway: one lane has come, or a time-out has decided and the rest comes late."""

from __future__ import annotations

import signal

import pytest

from syncline.wire.contract import CONTENT_TYPES, media_topic
from syncline.wire.events import MediaEvent
from syncline.wire.results import FusedResult
from tests.support.broker_admin import committed_offsets
from tests.support.brokers import TestBroker
from tests.support.interferences import Interferences, Interruption, Point
from tests.support.judge import Outcomes, Reader
from tests.support.moments import START_MS, Sample, Sent, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 1
LIMIT_S = 300.0
LONG_MS = 3_600_000
"""A `max_wait_ms` that no test lives to see."""
AT_MS = START_MS + 1_000
STREAMS = ("half", "whole", "early", "late")
EARLIER_MS, LATER_MS = 7, 7
"""How far the item that comes too late lies before, or behind, the opener of the set that a time-out has decided."""


def sample(stream: str, modality: str, time_ms: int = AT_MS) -> Sample:
    """One record; those of a stream belong together, whatever their times."""
    event = MediaEvent(
        stream=stream, modality=modality, source=f"urn:test:{modality}", id=f"{stream}-{time_ms}", time_ms=time_ms,
        content_type=CONTENT_TYPES[modality][0],
    )  # fmt: skip
    return Sample(STREAMS.index(stream), event)


def _of(outcomes: Outcomes, stream: str) -> list[FusedResult]:
    return [result for result in outcomes.fused.values() if result.stream == stream]


def _lanes(result: FusedResult) -> list[str]:
    return sorted(member.lane for member in result.members)


async def _send(broker: TestBroker, prefix: str, sent: Sent, *samples: Sample) -> None:
    await send(broker.address, prefix, samples, N_PARTITIONS, sent=sent)


@pytest.mark.slow
@pytest.mark.parametrize("rest", ["while nobody works", "after the successor came"])
async def test_half_a_set_outlives_its_worker(broker: TestBroker, topic_prefix: str, rest: str) -> None:
    """Killed while it holds the image, its records behind it committed elsewhere; the others come: one whole set."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    sent = Sent()
    async with (
        WorkerProcess(broker, topic_prefix, None, max_wait_ms=LONG_MS) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await _send(broker, topic_prefix, sent, sample("half", "image"))
        await _send(broker, topic_prefix, sent, *(sample("whole", modality) for modality in CONTENT_TYPES))
        # Its image stands behind the other stream's: when this set is out, the half one is held.
        await reader.read_until(lambda seen: bool(_of(seen, "whole")), LIMIT_S)
        worker.kill()
        if rest == "while nobody works":
            await _send(broker, topic_prefix, sent, sample("half", "text"), sample("half", "audio"))
            worker.start()
        else:
            worker.start()
            await worker.until_ready()
            await _send(broker, topic_prefix, sent, sample("half", "text"), sample("half", "audio"))
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        outcomes = await reader.read_rest()
    assert outcomes.violations(sent) == []
    (half,) = _of(outcomes, "half")
    assert (half.outcome, half.reason, _lanes(half)) == ("complete", "complete", ["audio", "image", "text"])


@pytest.mark.slow
@pytest.mark.parametrize("arrives", ["while nobody works", "after the successor came"])
@pytest.mark.parametrize("point", ["proposed", "appended", "publishing", "published", "committed"])
async def test_what_a_time_out_has_decided_outlives_its_worker(
    broker: TestBroker, topic_prefix: str, point: Point | str, arrives: str
) -> None:
    """Killed anywhere between the time-out and the missing item: the partial set stands once it is in the log.

    Then the missing item is late if its time is below the set's opener, and opens a set of its own if it is not; a
    time-out that never came to the log has decided nothing, and the item still joins.
    """
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    kill = () if point == "committed" else (Interruption(point=point, action="kill"),)  # type: ignore[arg-type]
    missing = {"early": sample("early", "audio", AT_MS - EARLIER_MS), "late": sample("late", "audio", AT_MS + LATER_MS)}
    sent = Sent()
    async with (
        WorkerProcess(broker, topic_prefix, Interferences(interruptions=kill), max_wait_ms=1_000) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await worker.until_ready()
        # In one batch a topic, so that both are decided together.
        await _send(broker, topic_prefix, sent, *(sample(s, lane) for lane in ("image", "text") for s in missing))
        await _until_killed(worker, broker, topic_prefix, reader)
        worker.interferences = None
        if arrives == "while nobody works":
            await _send(broker, topic_prefix, sent, *missing.values())
        worker.start()
        if arrives == "after the successor came":
            await reader.read_until(lambda seen: all(_of(seen, stream) for stream in missing), LIMIT_S)
            await _send(broker, topic_prefix, sent, *missing.values())
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        outcomes = await reader.read_rest()
    assert outcomes.violations(sent) == []
    if point == "proposed" and arrives == "while nobody works":
        for stream in missing:
            assert [_lanes(result) for result in _of(outcomes, stream)] == [["audio", "image", "text"]]
        return
    _assert_decided_by_time_out(outcomes)


async def _until_killed(worker: WorkerProcess, broker: TestBroker, prefix: str, reader: Reader) -> None:
    """Wait until the interruption has ended the worker; without one, until all is committed, then kill it."""
    if worker.interferences is not None and worker.interferences.interruptions:
        assert (await worker.wait(LIMIT_S))[0] == -signal.SIGKILL
        return
    await reader.read_until(lambda seen: len(seen.by_record) == 4, LIMIT_S)
    group, images = prefix + "workers", prefix + media_topic("image")
    while await committed_offsets(broker, group, images, N_PARTITIONS) != [2]:
        await reader.read_some(50)
    worker.kill()


def _assert_decided_by_time_out(outcomes: Outcomes) -> None:
    """Two sets lack their audio for good; the audio before its set's opener was late, the other one stands alone."""
    (early,), late = _of(outcomes, "early"), sorted(_of(outcomes, "late"), key=lambda result: result.start_ms)
    for result in (early, late[0]):
        assert (result.reason, _lanes(result), result.missing) == ("timeout", ["image", "text"], ("audio",))
    (said,) = outcomes.by_record["media.audio", 0, 0]
    assert said == "unfused late"
    assert [_lanes(result) for result in late[1:]] == [["audio"]]
    assert late[1].start_ms == AT_MS + LATER_MS
