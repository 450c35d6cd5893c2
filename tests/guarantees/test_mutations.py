"""The fault tests can fail: a worker with a guarantee taken out is caught, and the worker as it is passes.

They take a few minutes: `make guarantees` runs them, or `pytest tests/guarantees --guarantees`.
"""

from __future__ import annotations

import uuid

import pytest

from tests.guarantees.mutations import MUTATIONS
from tests.guarantees.scenarios import JOIN, ON_APACHE, SCENARIOS
from tests.guarantees.scene import scene_on
from tests.support.brokers import TestBroker
from verify import Report

CAUGHT = {
    "acknowledge_past_gaps": ("kill_beside_an_open_text", "early commit"),
    "acknowledge_at_arrival": ("kill_beside_an_open_text", "early commit"),
    "forget_decisions": ("kill_beside_an_open_text", "two outcomes"),
    "act_on_proposals": ("thaw_with_a_proposal", "void effect"),
    "ignore_claims": ("thaw_with_a_proposal", "void effect"),
    "resolve_member_by_member": ("kill_while_results_are_refused", "early commit"),
    "pause_partitions": ("backlog_over_the_limits", "no outcome"),
    "publish_in_any_order": ("backlog_over_the_limits", "out of order"),
    "publish_undecided": ("backlog_over_the_limits", "void effect"),
    "read_uncommitted": ("abort_beside_a_moment", "aborted record"),
}
"""By mutation, the scenario that catches it and the violation that it must be caught of."""
ATTEMPTS = 3
"""The scenarios leave little to chance: which of two events a process hears of first."""


async def report_of(broker: TestBroker, scenario: str, mutations: list[str]) -> Report:
    if scenario in ON_APACHE and broker.kind != "apache":
        pytest.skip("needs an Apache Kafka: pytest --apache-kafka")
    async with scene_on(broker, f"m{uuid.uuid4().hex[:8]}.", JOIN, mutations) as scene:
        await SCENARIOS[scenario](scene)
        return await scene.judge()


def test_every_mutation_has_its_scenario() -> None:
    """None is forgotten."""
    assert CAUGHT.keys() == MUTATIONS.keys()
    assert {scenario for scenario, _ in CAUGHT.values()} == SCENARIOS.keys()


@pytest.mark.guarantees
@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_worker_as_it_is_passes(broker: TestBroker, scenario: str) -> None:
    """What catches a broken worker finds nothing wrong with one that is whole."""
    report = await report_of(broker, scenario, [])
    assert report.ok, report.table()


@pytest.mark.guarantees
@pytest.mark.slow
@pytest.mark.parametrize("mutation", CAUGHT)
async def test_a_broken_worker_is_caught(broker: TestBroker, mutation: str) -> None:
    """The violation is reported for what it is."""
    scenario, kind = CAUGHT[mutation]
    tables: list[str] = []
    for _ in range(ATTEMPTS):
        report = await report_of(broker, scenario, [mutation])
        if report.n_by_kind[kind]:
            return
        tables.append(report.table())
    raise AssertionError("\n\n".join(tables))
