"""The runner: its parts say what they mean, and a whole small run comes to a verdict."""

from __future__ import annotations

import msgspec
import pytest

from streams.settings import WorkerSettings
from syncline.settings.config import load_settings
from tests.guarantees.faults import Fault
from tests.guarantees.plan import draw_plan
from tests.guarantees.pool import flags_of
from tests.guarantees.results import header, summary
from tests.guarantees.run import run_once
from tests.guarantees.sends import Sender
from tests.guarantees.workload import workload
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics

N_RECORDS = 500


def test_a_worker_is_told_the_join_of_its_plan() -> None:
    """The flags give back the settings that they were made of, whatever a seed has drawn."""
    for seed in range(50):
        join = draw_plan(seed, "tansu").join
        flags: dict[str, str | None] = dict(flags_of(join))
        assert load_settings(WorkerSettings, flags=flags, environment={}, file=None).settings.join == join


async def test_every_send_is_accounted_for(broker: TestBroker, topic_prefix: str) -> None:
    """What the broker has is noted with its place, and what is too large as failed."""
    await make_topics(broker.address, topic_prefix, 2)
    media = workload(3, 3_000, 2, 4)
    sender = Sender(broker.address, topic_prefix, media, per_s=10_000)
    await sender.run()
    n_too_large = sum(one.kind == "too large to be sent" for one in media)
    assert n_too_large > 0
    assert sender.counts() == {"ok": len(media) - n_too_large, "failed": n_too_large}
    places = {(send.topic, send.partition, send.offset) for send in sender.log if send.outcome == "ok"}
    assert len(places) == len(media) - n_too_large


@pytest.mark.slow
async def test_a_run_comes_to_a_verdict(own_broker: TestBroker, broker_kind: str) -> None:
    """A few hundred records, one kill: all is counted, nothing is wrong, and the line says so."""
    plan = draw_plan(1, broker_kind)
    plan = msgspec.structs.replace(
        plan, n_records=N_RECORDS, gives_up=False, faults=(Fault(kind="kill", at=N_RECORDS // 4),)
    )
    result = await run_once(plan, own_broker)
    assert result.violations == ()
    assert result.saved == ""
    assert 0.9 * N_RECORDS < result.n_records <= N_RECORDS
    assert result.n_complete > 0
    assert len(result.line().split()) == len(header().split()) + 1  # the strategy stands before the fault
    assert "0 runs with violations" in summary([result])
