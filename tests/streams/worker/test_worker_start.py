"""What a worker says, and refuses, while it starts."""

from __future__ import annotations

import pytest

from models.registry import NullModel
from streams.settings import WorkerSettings
from streams.worker.worker import describe
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess


@pytest.mark.apache
@pytest.mark.parametrize("session_timeout_ms", [5_000, 1_900_000])
async def test_a_session_that_the_broker_does_not_take_is_refused_by_name(
    broker: TestBroker, topic_prefix: str, session_timeout_ms: int
) -> None:
    """Apache Kafka takes 6 s to 30 minutes unless told otherwise; waiting would mend nothing."""
    await make_topics(broker.address, topic_prefix, 1)
    async with WorkerProcess(broker, topic_prefix, session_timeout_ms=session_timeout_ms) as worker:
        assert (await worker.wait(60.0))[0] == 2
        last = worker.log().splitlines()[-1]
        assert f"session_timeout_ms: got {session_timeout_ms}, takes" in last
        assert "group.min.session.timeout.ms" in last
        assert "Traceback" not in worker.log()


async def test_while_it_waits_for_its_topics_the_lag_is_not_known(broker: TestBroker, topic_prefix: str) -> None:
    """0 would be a lie: a backlog may be there."""
    async with WorkerProcess(broker, topic_prefix) as worker:
        await worker.until_reason("has no topic")
        assert (await worker.ask("/readyz"))[1]["lag"] is None


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (WorkerSettings(), "no model: sets are joined and get no labels (--model NAME; names: syncline model list)"),
        (WorkerSettings(model="other"), "model null 1 on cuda"),
    ],
)
def test_a_worker_says_in_one_line_what_it_does(settings: WorkerSettings, line: str) -> None:
    """Model and device, lanes, strategy; without a model that its sets get no labels."""
    model = NullModel()
    model.version, model.device = "1", "cuda"
    assert describe(model, settings) == f"{line}; lanes image, text, audio; strategy earliest"
