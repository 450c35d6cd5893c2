"""A system that runs is judged by what must be true at every moment; what is not committed may be pending."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.drafts import Draft
from tests.support.effort import n_runs
from tests.support.faults import JUDGED_PRESETS, PRESETS, small_sizes
from tests.support.histories import RecordedWorld
from tests.support.runs import MODES, Mode
from tests.support.worlds import Shape, random_media, random_settings
from verify import check

N_RUNS, LOOK_EVERY = n_runs(quick=1, full=2), 150


class LookedAtWorld(RecordedWorld):
    """A world that is judged while it runs."""

    n_steps = 0

    def step(self) -> None:
        """One thing happens; sometimes the checker looks."""
        super().step()
        self.n_steps += 1
        shares = self.settings.strategy == "nearest" and self.settings.share
        if self.n_steps % LOOK_EVERY == 0 and not (shares and self.spoilt):
            report = check(self.history(), self.settings, finished=False)
            assert report.violations == [], f"after {self.n_steps} steps"


@pytest.mark.parametrize("preset", JUDGED_PRESETS)
@pytest.mark.parametrize("mode", MODES)
def test_at_no_moment_is_there_a_violation(mode: Mode, preset: str) -> None:
    """Between any two steps of a simulated world under faults nothing is wrong."""
    for seed in range(N_RUNS):
        random = Random(f"live {mode} {preset} {seed}")
        timers = mode != "logs"
        settings = random_settings(random, timers=timers, limits=mode == "limits")
        media = random_media(random, settings, Shape(silent=0.2) if timers else Shape())
        with small_sizes(random):
            LookedAtWorld(media, settings, random, PRESETS[preset], fetch=random.choice((1, 3, 5, 20))).run()


def test_what_is_pending_is_counted() -> None:
    """A record that nobody has decided is pending where the system runs, and without outcome where it is over."""
    draft = Draft("earliest")
    topic, record = next((topic, record) for topic, record in draft.media() if record.headers)
    draft.add_media(topic, record)
    running = draft.check(finished=False)
    assert running.ok
    assert running.counts["records"]["pending"] == 1
    over = draft.check(finished=True)
    assert over.n_by_kind == {"no outcome": 1}
    assert over.counts["records"]["without outcome"] == 1


def test_what_is_committed_is_not_pending() -> None:
    """A commit above a record without outcome is a violation while the system runs, too."""
    draft = Draft("earliest")
    topic, record = next((topic, record) for topic, record in draft.media() if record.headers)
    place = draft.add_media(topic, record)
    draft.history.commits[-1].committed[topic, 0] = place[1] + 1
    assert draft.check(finished=False).n_by_kind == {"early commit": 1}
