"""A worker with a model: real media in, answers and conversions out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from syncline.wire.arrays import to_numpy
from syncline.wire.contract import CONVERTED_TEXT, FUSED
from syncline.wire.converted import decode_converted
from syncline.wire.results import decode_fused
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import Sample, moments, send
from tests.support.tiny_corpus import png, wav
from tests.support.tiny_model import write_tiny_model
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
N_MOMENTS = 12


def with_media(sample: Sample) -> Sample:
    """The sample with a file that its content type promises; JPEG's place is taken by PNG."""
    modality, number = sample.event.modality, sample.moment
    content_type = {"image": "image/png", "audio": "audio/wav"}.get(modality, sample.event.content_type)
    value = {"image": lambda: png(number), "audio": lambda: wav(number), "text": lambda: b"a red apple"}[modality]()
    return Sample(number, msgspec.structs.replace(sample.event, content_type=content_type), value)


async def test_sets_are_fused_and_converted_and_broken_media_are_dead_letters(
    broker: TestBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Labels, an embedding, a caption and a transcript for each moment; the truncated picture's moment lacks it."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = [with_media(sample) for sample in moments(N_MOMENTS)]
    broken = next(index for index, sample in enumerate(samples) if sample.event.modality == "image")
    samples[broken] = Sample(samples[broken].moment, samples[broken].event, samples[broken].value[:60])
    sent = await send(broker.address, topic_prefix, samples, N_PARTITIONS)
    model = write_tiny_model(tmp_path / "model")
    async with (
        WorkerProcess(broker, topic_prefix, model=model, max_wait_ms=500) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), 120)
        assert outcomes.violations(sent) == [], worker.log()
        assert (await worker.terminate())[0] == 0
    kinds = outcomes.kinds()
    assert kinds["fused"] == 3 * N_MOMENTS - 1
    (reason,) = (kind for kind in kinds if kind.startswith("deadletter"))
    assert reason.startswith("deadletter image_")
    fused = [decode_fused(record.value) for record in await _all(broker, topic_prefix + FUSED, N_MOMENTS)]
    assert {result.model.name for result in fused if result.model} == {"tiny"}
    assert all(result.labels and result.embedding is not None for result in fused)
    assert all(to_numpy(result.embedding).ndim == 1 for result in fused if result.embedding is not None)
    said = [decode_converted(r.value) for r in await _all(broker, topic_prefix + CONVERTED_TEXT, 2 * N_MOMENTS - 1)]
    assert sorted(text.kind for text in said) == ["caption"] * (N_MOMENTS - 1) + ["transcript"] * N_MOMENTS


async def _all(broker: TestBroker, topic: str, n_records: int) -> list[Any]:
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(N_PARTITIONS)])
        return [await consumer.getone() for _ in range(n_records)]
