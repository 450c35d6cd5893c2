"""Workers that are ended and started as others: their settings are ones that a worker takes, and decide otherwise."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import pytest

from streams.join.settings import fingerprint
from streams.settings import WorkerSettings
from syncline.settings.config import load_settings
from tests.guarantees.faults import Fault
from tests.guarantees.lives import other_settings
from tests.guarantees.plan import draw_plan
from tests.guarantees.pool import flags_of
from tests.guarantees.run import unjudged
from verify import Report
from verify.check import BY_OTHERS

N_SEEDS = 200


def _started_with(flags: dict[str, object]) -> WorkerSettings:
    given: dict[str, str | None] = {name: str(value) for name, value in flags.items() if value is not None}
    return load_settings(WorkerSettings, flags=given, environment={}, file=None).settings


def test_other_settings_are_taken_by_a_worker_and_decide_otherwise() -> None:
    """Whatever a seed has drawn: flags that can be parsed, and another fingerprint than the run's own."""
    changed: Counter[str] = Counter()
    for seed in range(N_SEEDS):
        join = draw_plan(seed, "tansu").join
        own = _started_with({**flags_of(join)})
        other = _started_with({**flags_of(join), **other_settings(join, Random(seed))})
        assert (
            other.deployment(2).fingerprint != own.deployment(2).fingerprint == fingerprint(join, own.max_event_bytes)
        )
        for name in ("strategy", "lanes", "tolerance_ms", "share"):
            changed[name] += getattr(other.join, name) != getattr(own.join, name)
        changed["max_event_bytes"] += other.max_event_bytes != own.max_event_bytes
    assert min(changed.values()) > N_SEEDS // 20
    assert len(changed) == 5


def test_what_is_left_at_its_default_is_no_flag() -> None:
    """A setting that the run has and the other worker has not: it gets the default."""
    join = msgspec.structs.replace(draw_plan(0, "tansu").join, strategy="tumbling", require=("image",))
    flags = [other_settings(join, Random(seed)) for seed in range(20)]
    assert any(one.get("require", "") is None for one in flags)
    assert any(one.get("strategy", "") is None for one in flags)


@pytest.mark.parametrize(("kind", "is_wrong"), [("settings", False), ("kill", True)])
def test_decisions_that_were_not_made_anew_are_wrong_where_nobody_changed_settings(kind: str, is_wrong: bool) -> None:
    """Else a fingerprint that differs for no reason would switch the checker off."""
    report = Report()
    faults = (msgspec.convert({"kind": kind, "at": 1}, Fault),)
    assert not list(unjudged(report, faults))
    report.count("decisions", BY_OTHERS, 7)
    found = list(unjudged(report, faults))
    assert bool(found) == is_wrong
    assert all(sentence.startswith("7 decisions were not made anew") for sentence in found)
