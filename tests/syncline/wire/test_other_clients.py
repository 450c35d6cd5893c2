"""Other clients do as well: what plain aiokafka and kcat send, the worker takes; what it writes, they read."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess

import msgpack
import pytest
from aiokafka import AIOKafkaProducer

from syncline.wire.events import check_value, parse_headers
from syncline.wire.placement import check_placement
from syncline.wire.results import encode_fused
from tests.support.brokers import TestBroker
from tests.support.contract import example_fused
from tests.support.topics import N_PARTITIONS, make_topics, read_records, write_records

STREAMS = [f"camera-{number}" for number in range(12)]
KCAT = shutil.which("kcat") or shutil.which("kafkacat")
LIMIT_S = 300.0


async def test_plain_aiokafka_produces(broker: TestBroker, topic_prefix: str) -> None:
    """The example for aiokafka in docs/contract.md: default partitioner, headers by hand."""
    await make_topics(broker.address, topic_prefix)
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for stream in STREAMS:
            headers = [
                ("ce_specversion", b"1.0"),
                ("ce_type", b"syncline.media.image.v1"),
                ("ce_source", b"urn:camera:7"),
                ("ce_id", b"frame-1"),
                ("ce_subject", stream.encode()),
                ("ce_time", b"2026-03-01T12:00:00.250Z"),
                ("content-type", b"image/png"),
            ]
            await producer.send_and_wait(f"{topic_prefix}media.image", b"\x89PNG", key=stream.encode(), headers=headers)
    await check_streams(broker.address, f"{topic_prefix}media.image", "media.image", b"\x89PNG")


async def test_kcat_produces(broker: TestBroker, topic_prefix: str) -> None:
    """The example for kcat in docs/contract.md: murmur2_random and headers by -H."""
    skip_unless_kcat_can_talk_to(broker)
    await make_topics(broker.address, topic_prefix)
    for stream in STREAMS:
        await kcat(
            broker, "-P", "-t", f"{topic_prefix}media.text", "-k", stream, "-X", "partitioner=murmur2_random",
            "-H", "ce_specversion=1.0", "-H", "ce_type=syncline.media.text.v1", "-H", "ce_source=urn:shell",
            "-H", "ce_id=line-1", "-H", f"ce_subject={stream}", "-H", "content-type=text/plain; charset=utf-8",
            text=b"hello",
        )  # fmt: skip
    await check_streams(broker.address, f"{topic_prefix}media.text", "media.text", b"hello")


async def test_kcat_and_msgpack_read_a_result(broker: TestBroker, topic_prefix: str) -> None:
    """A result is readable with nothing of ours: kcat for the bytes, the plain msgpack package for the map."""
    skip_unless_kcat_can_talk_to(broker)
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, [encode_fused(example_fused())])
    value = await kcat(broker, "-C", "-t", f"{topic_prefix}results.fused", "-o", "beginning", "-e", "-q", "-D", "")
    assert msgpack.unpackb(value)["id"] == "f1"


def skip_unless_kcat_can_talk_to(broker: TestBroker) -> None:
    """kcat with a librdkafka before 2.2 misreads Tansu's ApiVersions answer and hangs up."""
    if KCAT is None:
        pytest.skip("kcat is not installed (Debian: apt-get install kcat)")
    told = subprocess.run([KCAT, "-V"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"librdkafka (\d+)\.(\d+)", told)
    assert version is not None, told
    if broker.kind == "tansu" and (int(version[1]), int(version[2])) < (2, 2):
        pytest.skip(f"librdkafka {version[1]}.{version[2]} cannot read Tansu's answers: run with --apache-kafka")


async def kcat(broker: TestBroker, *arguments: str, text: bytes = b"") -> bytes:
    """Run kcat against the broker and return what it prints."""
    assert KCAT is not None
    process = await asyncio.create_subprocess_exec(
        KCAT, "-b", broker.address, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await asyncio.wait_for(process.communicate(text), LIMIT_S)
    assert process.returncode == 0, errors.decode()
    return out


async def check_streams(brokers: str, topic: str, unprefixed: str, value: bytes) -> None:
    """Every stream's record parses, is where it belongs, and holds `value`."""
    records = await read_records(brokers, topic, len(STREAMS))
    streams: list[str] = []
    for record in records:
        event = parse_headers(unprefixed, record.key, record.headers, record.timestamp)
        check_placement(record.key, record.partition, N_PARTITIONS)
        assert check_value(event, record.value) == value
        streams.append(event.stream)
    assert sorted(streams) == sorted(STREAMS)
    assert len({record.partition for record in records}) > 1
