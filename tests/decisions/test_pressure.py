"""Back-pressure under load: how much is held, and what it costs in torn sets, when speeds differ."""

from __future__ import annotations

from streams.decisions.rules import Rules
from streams.join.settings import JoinSettings
from tests.support.paced import Paced
from tests.support.worlds import Media, media_of

FETCH = 50
OVERSHOOT = 3 * FETCH
"""What polls of three topics bring after the limit was reached."""


def _moments(n_moments: int) -> Media:
    times = [("s", 1_000 + 100 * k) for k in range(n_moments)]
    return media_of(image=times, text=times, audio=times)


def _slow_model(rules: Rules, outage: range = range(0)) -> Paced:
    settings = JoinSettings(max_held_events=200)
    return Paced(settings, _moments(3_000), fetch=FETCH, fuses=5, outage=outage, rules=rules).run(6_000)


def test_a_slow_model_tears_no_set() -> None:
    """What is on its way frees itself: nothing is read meanwhile, and all moments are complete."""
    paced = _slow_model(Rules())
    assert paced.reasons == {"complete": 3_000}
    assert paced.max_held <= 200 + OVERSHOOT


def test_a_results_topic_that_is_away_tears_no_set() -> None:
    """Nothing is published for 300 rounds: reading stops at the soft limit, and nothing is decided by pressure."""
    paced = _slow_model(Rules(), outage=range(100, 400))
    assert paced.reasons == {"complete": 3_000}
    assert paced.max_held <= 200 + OVERSHOOT


def test_with_one_topic_always_read_a_slow_model_tears_sets() -> None:
    """The rule that this one replaced: it reads on up to the hard limit, where pressure tears what is incomplete."""
    paced = _slow_model(Rules(spare_what_frees_itself=False))
    assert paced.reasons["pressure"] > 100
    assert paced.max_held > 4 * 200


def _crossed(hard_limit_factor: int) -> Paced:
    first = [("A", 1_000 + 100 * k) for k in range(100)]
    then = [("B", 1_000 + 100 * k) for k in range(100)]
    settings = JoinSettings(max_held_events=10, hard_limit_factor=hard_limit_factor)
    return Paced(settings, media_of(image=first + then, text=then + first), fetch=5).run(20_000)


def test_streams_that_cross_in_two_topics_meet_below_the_hard_limit() -> None:
    """Images A then B, texts B then A, no audio: with a hard limit of 1,000 each image finds its text."""
    paced = _crossed(100)
    assert paced.reasons == {"timeout": 200}
    assert set(paced.n_members.values()) == {1}
    assert len(paced.n_members) == 400


def test_streams_that_cross_end_by_pressure_at_a_low_hard_limit_and_lose_nothing() -> None:
    """The same with a hard limit of 40: some sets are torn by pressure, and every record is in exactly one."""
    paced = _crossed(4)
    assert paced.reasons["pressure"] > 0
    assert set(paced.n_members.values()) == {1}
    assert len(paced.n_members) == 400
    assert paced.max_held <= 40 + 5
    assert paced.committed == {"media.image": 200, "media.text": 200, "media.audio": 0}


def _trickle(n_moments: int, round_ms: int, rules: Rules) -> Paced:
    def available(topic: str, now_ms: int) -> int:
        return n_moments if topic == "media.image" else now_ms // 20

    settings = JoinSettings(max_held_events=1_000)
    media = _moments(n_moments)
    paced = Paced(settings, media, fetch=FETCH, round_ms=round_ms, available=available, rules=rules)
    return paced.run(n_moments * 25 // round_ms)


def test_a_lane_that_trickles_beside_a_backlog_of_another_loses_no_set() -> None:
    """20,000 images wait, text and audio come at 50 a second: all complete, little more held than the soft limit."""
    paced = _trickle(20_000, 20, Rules())
    assert paced.reasons == {"complete": 20_000}
    assert paced.max_held <= 1_000 + OVERSHOOT


def test_a_trickle_that_pauses_between_two_looks_loses_no_set() -> None:
    """Looked at more often than it comes, a live lane is caught up at times: the backlog beside it waits."""
    paced = _trickle(3_000, 5, Rules())
    assert paced.reasons == {"complete": 3_000}
    assert paced.max_held <= 1_000 + OVERSHOOT


def test_a_backlog_read_beside_a_live_lane_is_torn() -> None:
    """Without asking what undecided sets wait for, the backlog fills the room up to the hard limit."""
    paced = _trickle(6_000, 5, Rules(read_what_is_wanted=False))
    assert paced.reasons["complete"] < 3_000
