"""From a client of examples/clients/ through a worker with a model, and back to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline import MediaProducer
from syncline.wire.placement import murmur2
from tests.support.brokers import TestBroker
from tests.support.plain_clients import KINDS, by_id, place, read_by_syncline, run_client
from tests.support.tiny_corpus import png, wav
from tests.support.tiny_model import write_tiny_model
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 3
"""No power of two: there a hash whose sign bit is kept gives another partition."""
STREAM = "lobby-门厅"
LIMIT_S = 90.0
MAX_WAIT_MS = 6_000
"""Longer than a busy machine takes between two sends of one client."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_what_a_client_sends_comes_back_to_it_as_syncline_reads_it(
    kind: str, broker: TestBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Its moment, one of Syncline's own producer, and a dead letter: decoded the same by both clients."""
    assert murmur2(STREAM.encode()) >> 31, "a stream by which a wrong placement shows"
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    files = {"image": tmp_path / "door.png", "audio": tmp_path / "bell.wav", "broken": tmp_path / "broken.png"}
    for name, data in (("image", png(1)), ("audio", wav(1)), ("broken", png(2)[:60])):
        files[name].write_bytes(data)
    model = write_tiny_model(tmp_path / "model")
    async with WorkerProcess(broker, topic_prefix, model=model, max_wait_ms=MAX_WAIT_MS) as worker:
        await worker.until_ready()
        where = place(broker, topic_prefix)
        media = ["--image", str(files["image"]), "--text", "a red apple 苹果", "--audio", str(files["audio"])]
        sent = await run_client(kind, "send", STREAM, *media, "--language", "en", *where)
        assert sent.code == 0, sent.err
        broken = await run_client(kind, "send", "hall", "--image", str(files["broken"]), *where)
        async with MediaProducer(broker.address, topic_prefix=topic_prefix) as producer:
            await producer.send("gate", "image", png(3), time_ms=sent.lines[0]["time_ms"])
            await producer.send("gate", "text", text="open", time_ms=sent.lines[0]["time_ms"])
        read = await run_client(kind, "read", "--count", "3", "--idle-s", str(LIMIT_S), *where)
        assert read.code == 0, read.err + worker.log()[-2000:]
    assert by_id(read.lines) == by_id(await read_by_syncline(broker, topic_prefix, 3))
    of = {line.get("stream", line["kind"]): line for line in read.lines}
    members = {(member["topic"], member["partition"], member["offset"]): member for member in of[STREAM]["members"]}
    assert {place: members[place]["event_id"] for place in members} == {
        (line["topic"], line["partition"], line["offset"]): line["event_id"] for line in sent.lines
    }
    assert of[STREAM]["outcome"] == "complete"
    assert of[STREAM]["labels"]
    assert len(of[STREAM]["embedding"]) > 1
    assert of["deadletter"]["event_id"] == broken.lines[0]["event_id"]
    assert of["gate"]["missing"] == ["audio"]
