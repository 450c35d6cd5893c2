"""From media to a moment that was found: producer, worker, index and search together."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from demo.scenario import SAMPLES_DIR, Sample, load_samples
from syncline.consumer import ResultConsumer
from syncline.producer import MediaProducer
from tests.support.brokers import TestBroker
from tests.support.command_line import run_command_beside
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

MOMENTS = {
    "harbour": [("speedboat", ("text",)), ("pizza", ("text",))],
    "gym": [("basketball", ("image",)), ("violin", ("image", "audio"))],
    "hall": [("speedboat", ("image", "text", "audio")), ("pizza", ("image", "text", "audio"))],
}
"""Stream -> what is there, a moment each, and in which lanes."""
STEP_MS = 2_000
LIMIT_S = 300.0
"""For each step: long, because a worker and two searches load torch, on cores that others may use."""


async def produce(broker: TestBroker, prefix: str, samples: dict[str, Sample], start_ms: int) -> None:
    """Send what is in each moment: picture, speech, an English word."""
    async with MediaProducer(broker.address, topic_prefix=prefix) as producer:
        for stream, moments in MOMENTS.items():
            for number, (label, lanes) in enumerate(moments):
                sample, time_ms = samples[label], start_ms + number * STEP_MS
                media = {"image": sample.image, "audio": sample.audio}
                for lane in lanes:
                    if lane == "text":
                        await producer.send(stream, "text", text=sample.text_en, time_ms=time_ms, language="en")
                    else:
                        data = (SAMPLES_DIR / media[lane]).read_bytes()
                        await producer.send(stream, lane, data, time_ms=time_ms)


async def until_fused(broker: TestBroker, prefix: str) -> None:
    """Wait for a result of every moment."""
    async with ResultConsumer(broker.address, topic_prefix=prefix) as results:
        for _ in range(sum(map(len, MOMENTS.values()))):
            assert await results.receive(LIMIT_S) is not None


@pytest.mark.slow
async def test_moments_are_found_by_words_pictures_and_sound(
    broker: TestBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """What holds just this comes first, with a score of 1; what holds it in another kind of media comes first, too."""
    samples = {sample.label: sample for sample in load_samples().samples}
    start_ms = int(time.time() * 1_000) - 60_000
    await make_topics(broker.address, topic_prefix)
    async with WorkerProcess(broker, topic_prefix, model="reference") as worker:
        await worker.until_ready(LIMIT_S)
        await produce(broker, topic_prefix, samples, start_ms)
        await until_fused(broker, topic_prefix)
    at = ["--index", str(tmp_path)]
    ran = await run_command_beside("index", "--once", "--brokers", broker.address, "--topic-prefix", topic_prefix, *at)
    assert (ran.code, ran.out) == (0, "6 results indexed\n"), ran.err

    async def search(*arguments: str) -> list[dict[str, Any]]:
        ran = await run_command_beside("search", *arguments, "--json", *at)
        assert ran.code == 0, ran.err
        return [json.loads(line) for line in ran.out.splitlines()]

    boat, ball, violin, pizza = (samples[label] for label in ("speedboat", "basketball", "violin", "pizza"))
    same: list[tuple[list[str], str, int]] = [
        ([boat.text_en, "--lang", "en"], "harbour", 0),
        (["--image", file(ball.image)], "gym", 0),
        (["--image", file(violin.image), "--audio", file(violin.audio)], "gym", 1),
        ([pizza.text_en, "--image", file(pizza.image), "--audio", file(pizza.audio)], "hall", 1),
    ]
    others: list[tuple[list[str], str, int]] = [
        (["basketball", "--lang", "en"], "gym", 0),  # a picture
        (["篮球", "--lang", "zh"], "gym", 0),
        (["violin", "--lang", "en"], "gym", 1),  # a picture and speech
        (
            ["--image", file(boat.image), "--stream", "harbour"],
            "harbour",
            0,
        ),  # a word that holds for boats of all kinds
        (["--audio", file(boat.audio)], "hall", 0),
    ]
    for arguments, stream, number in (*same, *others):
        found = await search(*arguments)
        assert (found[0]["stream"], found[0]["start_ms"]) == (stream, start_ms + number * STEP_MS), (arguments, found)
        assert (arguments, stream, number) in others or found[0]["score"] == pytest.approx(1, abs=1e-3)
        assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)
        lanes = MOMENTS[stream][number][1]
        assert {member["lane"] for member in found[0]["members"]} == set(lanes)
    assert {hit["stream"] for hit in await search(boat.text_en, "--stream", "gym")} == {"gym"}


def file(name: str) -> str:
    """The path of a sample's file."""
    return str(SAMPLES_DIR / name)
