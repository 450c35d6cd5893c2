"""Liveness: what has no outcome in time is a violation, whether or not it comes later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.guarantees.faults import Fault
from tests.guarantees.plan import draw_plan
from tests.guarantees.settling import settle
from tests.guarantees.stage import Stage

SENT = [("media.text", 0, offset) for offset in range(3)]


class _Progress:
    """Outcomes that come while somebody waits for so many seconds or longer; no time passes."""

    def __init__(self, comes_after_s: float) -> None:
        self._comes_after_s = comes_after_s
        self.outcomes = SimpleNamespace(by_record={SENT[0]: {"fused 1"}})
        self.waited_s: list[float] = []

    async def until(self, done: Callable[[], bool], limit_s: float) -> bool:
        self.waited_s.append(limit_s)
        if sum(self.waited_s) > self._comes_after_s:
            self.outcomes.by_record.update({place: {"fused 1"} for place in SENT})
        return done()

    async def until_quiet(self, quiet_s: float) -> None:
        assert quiet_s > 0


def _stage(progress: _Progress, convert: tuple[str, ...] = ()) -> Stage:
    plan = SimpleNamespace(join=SimpleNamespace(max_wait_ms=600), convert=convert)
    sends = [SimpleNamespace(topic=t, partition=p, offset=o, outcome="ok") for t, p, o in SENT]
    given: Any = (plan, SimpleNamespace(kind="apache"), "p.", SimpleNamespace(workers={}), progress)
    return Stage(*given, cast(Any, SimpleNamespace(log=sends)))


async def _checkpoint(comes_after_s: float) -> Any:
    return await settle(_stage(_Progress(comes_after_s)), cast(Any, None))


async def test_what_comes_in_time_is_no_violation() -> None:
    """30 s, the session timeout and `max_wait_ms` are allowed: here 36.6 s in all."""
    assert _stage(_Progress(0)).liveness_s == pytest.approx(36.6)
    settled = await _checkpoint(36.5)
    assert settled.n_late == 0
    assert settled.problems == ()


@pytest.mark.parametrize(("comes_after_s", "came"), [(36.7, "all have theirs"), (10_000.0, "2 have none")])
async def test_what_is_late_is_a_violation_of_its_own_kind(comes_after_s: float, came: str) -> None:
    """It counts how many records were late, and says whether they ever came."""
    settled = await _checkpoint(comes_after_s)
    assert settled.n_late == 2
    (problem,) = settled.problems
    assert problem.startswith("liveness: 2 records had no outcome 36.6 s after the last fault")
    assert came in problem


async def test_conversions_have_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes without commits are conversions that did not come."""
    stage = _stage(_Progress(0), convert=("speech",))
    monkeypatch.setattr("tests.guarantees.stage.WELL_S", -10.0)  # it is over already
    async with asyncio.timeout(10):
        settled = await settle(stage, cast(Any, SimpleNamespace(samples=[])))
    assert [problem.split(" ", 1)[0] for problem in settled.problems] == ["liveness:"]


def test_a_long_outage_is_longer_than_every_time_out() -> None:
    """A batch without an answer for 30 s costs a producer."""
    long = [f for seed in range(50) for f in draw_plan(seed, "apache").faults if f.kind == "long_outage"]
    assert long
    assert all(fault.lasts_s > 30 and fault.topic != "decisions" for fault in long)
    assert str(Fault(kind="long_outage", at=1, topic="unfused")) == "long_outage:unfused"
