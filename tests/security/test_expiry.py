"""A certificate that expires while a worker runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.consumer import ResultConsumer
from syncline.producer import MediaProducer
from tests.support.brokers import start_now
from tests.support.certificates import YESTERDAY
from tests.support.secured_kafka import HERE, SecuredKafka
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.apache, pytest.mark.kafka, pytest.mark.slow]
LIMIT_S = 90.0


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[SecuredKafka]:
    """A broker for this test alone, since its certificate is changed."""
    new = SecuredKafka(tmp_path / "kafka")
    try:
        start_now(new)
        yield new
    finally:
        new.cluster.remove()


async def test_a_worker_waits_for_a_new_certificate_and_goes_on(kafka: SecuredKafka, topic_prefix: str) -> None:
    """Meanwhile it is alive and not ready, and /readyz says why; no record is lost."""
    await make_topics(kafka.address, topic_prefix, 1)
    settings, address = kafka.settings("SASL"), kafka.address_of("SASL")
    async with (
        WorkerProcess(kafka, topic_prefix, brokers=address, lanes="text", **settings) as worker,
        MediaProducer(kafka.address, topic_prefix=topic_prefix) as producer,
        ResultConsumer(kafka.address, topic_prefix=topic_prefix) as results,
    ):
        await worker.until_ready()
        await producer.send("lobby", "text", text="before", time_ms=1_000)
        assert (await results.receive(LIMIT_S)) is not None

        kafka.authority.issue("broker", *HERE, ends_in=YESTERDAY)
        await kafka.stop()
        await kafka.start()
        await worker.until_reason("its certificate has expired", LIMIT_S)
        assert (await worker.ask("/livez"))[0] == 200
        await producer.send("lobby", "text", text="meanwhile", time_ms=2_000)

        kafka.authority.issue("broker", *HERE)
        await kafka.stop()
        await kafka.start()
        await worker.until_ready(LIMIT_S)
        received = await results.receive(LIMIT_S)
        assert received is not None
        assert received.result.start_ms == 2_000  # type: ignore[union-attr]
        assert (await worker.terminate())[0] == 0
