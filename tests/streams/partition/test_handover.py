"""streams/partition/handover.py: in which order a partition number is given away, and what is said of what is left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streams.partition.handover import Handover


class Fake:
    """An owner and a carrier in one: notes what is asked, and is done with what `done` names."""

    def __init__(self, *done: str) -> None:
        self.calls: list[str] = []
        self.done, self.over = set(done), False
        self.state, self.failing = "owning", list[str]()
        self.execution, self.n_converting = SimpleNamespace(n_to_do=3), 0

    def rest(self) -> None:
        self.calls.append("rest")

    def finish(self) -> None:
        self.calls.append("finish")

    def ask_for_snapshot(self) -> None:
        self.calls.append("snapshot")

    @property
    def idle(self) -> bool:
        return "idle" in self.done

    @property
    def sending(self) -> bool:
        return "sent" not in self.done

    @property
    def snapshot_is_written(self) -> bool:
        return "written" in self.done


def handover_of(fake: Fake) -> Handover:
    both: Any = fake
    return Handover(both, both, lambda: None, lambda: fake.over, settle_s=0.05)


async def test_all_is_done_in_order() -> None:
    """Nothing new is decided, what is decided goes out, then a snapshot is written: nothing is left."""
    fake = Fake("idle", "sent", "written")
    assert await handover_of(fake).run(5.0) == []
    assert fake.calls == ["rest", "finish", "snapshot"]


@pytest.mark.parametrize(
    ("done", "left"),
    [
        (("sent", "written"), ["3 decisions were not carried out"]),
        (("idle", "written"), ["results are still being sent"]),
        (("idle", "sent"), ["the snapshot was not written to the decision log"]),
    ],
)
async def test_what_cannot_be_done_in_time_is_said_and_the_rest_is_done(done: tuple[str, ...], left: list[str]) -> None:
    """A model that hangs keeps nobody from saying in the log what is published."""
    fake = Fake(*done)
    assert await handover_of(fake).run(0.05) == left
    assert fake.calls == ["rest", "finish", "snapshot"]


async def test_conversions_that_are_not_made_are_left_without_a_word() -> None:
    """The results are out; whoever comes next converts, and says them once more. That is no failure."""
    fake = Fake("sent", "written")
    fake.n_converting = 3
    assert await handover_of(fake).run(0.05) == []
    fake.n_converting = 2
    fake.calls.clear()
    assert await handover_of(fake).run(0.05) == ["3 decisions were not carried out"]


async def test_a_topic_that_refuses_is_named() -> None:
    """With what the broker said."""
    fake = Fake("idle", "written")
    fake.failing = ["sending to unfused fails: gone"]
    assert await handover_of(fake).run(0.05) == ["sending to unfused fails: gone"]


async def test_decisions_that_are_not_read_back_are_left_too() -> None:
    """They may be in the log: whoever comes next finds them there, or decides anew."""
    fake = Fake("sent", "written")
    fake.execution.n_to_do = 0
    assert await handover_of(fake).run(0.05) == ["decisions were not confirmed by the log"]


async def test_a_log_that_is_somebody_elses_is_not_waited_for() -> None:
    """Nothing can come of it any more."""
    fake = Fake()
    fake.state = "lost"
    async with asyncio.timeout(300):
        left = await handover_of(fake).run(60.0)
    assert left[0] == "another worker owns the decision log"


async def test_asked_twice_it_happens_once_within_the_shorter_time() -> None:
    """A rebalance in the midst of stopping, or the other way round."""
    fake = Fake("sent", "written")
    handing = handover_of(fake)
    async with asyncio.timeout(300):
        both = await asyncio.gather(handing.run(60.0), handing.run(0.05))
    assert both == [["3 decisions were not carried out"]] * 2
    assert fake.calls == ["rest", "finish", "snapshot"]


async def test_it_ends_when_the_driver_is_stopped() -> None:
    """The assignment is over: nothing more can be done."""
    fake = Fake()
    fake.over = True
    async with asyncio.timeout(300):
        assert await handover_of(fake).run(60.0)
