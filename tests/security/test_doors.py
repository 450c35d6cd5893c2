"""The whole way over TLS, with a password and with a certificate: topics, producer, worker, consumer."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.consumer import ResultConsumer
from syncline.producer import MediaProducer
from syncline.wire.contract import ALL_TOPICS
from syncline.wire.results import FusedResult
from tests.support.command_line import as_flags, run_command_beside
from tests.support.secured_kafka import SecuredKafka
from tests.support.worker_process import WorkerProcess

N_MOMENTS = 20
PNG = Path(__file__).parents[2] / "examples" / "demo" / "media" / "bank.png"


@pytest.mark.parametrize(
    ("door", "changes"),
    [("SASL", {}), ("SASL", {"sasl_mechanism": "PLAIN"}), ("MTLS", {}), ("BARE", {})],
    ids=["SCRAM-SHA-512", "PLAIN", "certificate", "without TLS"],
)
async def test_everything_works_over_a_door(
    secured_kafka: SecuredKafka, topic_prefix: str, door: str, changes: dict[str, str]
) -> None:
    """`topics create` and `check`, a producer, a worker and a consumer, all of them through it."""
    settings = secured_kafka.settings(door, **changes)
    security, address = secured_kafka.security(door, **changes), secured_kafka.address_of(door)
    place = ["--brokers", address, "--topic-prefix", topic_prefix, *as_flags(settings)]
    created = await run_command_beside("topics", "create", "--partitions", "2", *place)
    assert (created.code, created.out.splitlines()[-2]) == (0, f"{len(ALL_TOPICS)} created, 0 were there")
    assert (await run_command_beside("topics", "check", *place)).code == 0

    async with (
        WorkerProcess(secured_kafka, topic_prefix, brokers=address, lanes="image,text", **settings) as worker,
        MediaProducer(address, topic_prefix=topic_prefix, security=security) as producer,
        ResultConsumer(address, topic_prefix=topic_prefix, group_id=topic_prefix, security=security) as results,
    ):
        await worker.until_ready()
        for number in range(N_MOMENTS):
            time_ms = 1_772_366_400_000 + number * 1_000
            await producer.send("lobby", "image", PNG.read_bytes(), time_ms=time_ms)
            await producer.send("lobby", "text", text=f"moment {number}", time_ms=time_ms)
        for number in range(N_MOMENTS):
            received = await results.receive(60)
            assert received is not None, worker.log()[-3_000:]
            assert isinstance(received.result, FusedResult)
            assert received.result.start_ms == 1_772_366_400_000 + number * 1_000
            assert received.result.outcome == "complete"
        code, _ = await worker.terminate()
        assert ("SASL without TLS" in worker.log()) == (door == "BARE")
    assert code == 0
