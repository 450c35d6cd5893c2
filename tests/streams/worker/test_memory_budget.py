"""streams/worker/memory_budget.py: what a worker may hold in all, and where it refuses to start."""

from __future__ import annotations

import pytest

from streams.join.settings import JoinSettings
from streams.settings import WorkerSettings
from streams.worker.memory_budget import check_shares, worst_case_bytes
from syncline.errors import SettingsError
from tests.support.brokers import TestBroker
from tests.support.topics import N_PARTITIONS, make_topics
from tests.support.worker_process import WorkerProcess


def settings(**join: object) -> WorkerSettings:
    """A worker's settings of which only these of the join are given."""
    return WorkerSettings(join=JoinSettings(**join))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "join"),
    [
        ("max_held_bytes", {"max_held_bytes": 20_000_000}),
        ("max_held_events", {"max_held_events": 15, "hard_limit_factor": 1}),
    ],
)
def test_a_share_that_holds_no_largest_set_is_refused_with_the_numbers(name: str, join: dict[str, object]) -> None:
    """Below what the message says it takes, and not from there on: 16 partitions, three lanes."""
    with pytest.raises(SettingsError) as caught:
        check_shares(settings(**join), 16)
    assert (caught.value.name, caught.value.got, caught.value.exit_code) == (name, join[name], 2)
    least = int(caught.value.takes.removeprefix("at least ").partition(":")[0])
    assert "16 partitions" in caught.value.takes
    assert "3 lanes" in caught.value.takes
    check_shares(settings(**{**join, name: least}), 16)
    with pytest.raises(SettingsError):
        check_shares(settings(**{**join, name: least - 1}), 16)


@pytest.mark.parametrize("n_partitions", [1, 4, 16, 64])
def test_the_defaults_suit_any_usual_number_of_partitions(n_partitions: int) -> None:
    """One worker that inherits them all works on, with room for some sets in each."""
    check_shares(WorkerSettings(), n_partitions)


def test_the_budget_does_not_grow_with_the_partitions_but_for_what_each_needs_by_itself() -> None:
    """What is held and what is being decoded are shared out; fetches and memory of streams are each number's own."""
    one, four, sixteen = (worst_case_bytes(WorkerSettings(), n) for n in (1, 4, 16))
    join = WorkerSettings().join
    assert one > join.max_held_bytes * join.hard_limit_factor
    assert (sixteen - four) <= 12 / 3 * (four - one)


@pytest.mark.kafka
async def test_a_worker_with_too_small_a_budget_ends_with_2_and_says_why(broker: TestBroker, topic_prefix: str) -> None:
    """Before it joins its group: nobody waits for a partition that it could not work on."""
    await make_topics(broker.address, topic_prefix)
    async with WorkerProcess(broker, topic_prefix, max_held_bytes=1_000_000) as worker:
        assert (await worker.wait())[0] == 2
        assert "max_held_bytes: got 1000000, takes at least" in worker.log()
        assert f"all {N_PARTITIONS} partitions" in worker.log()
