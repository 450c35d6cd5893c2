"""Back-pressure under load: how much is held, and what it costs in torn sets, when speeds differ."""

from __future__ import annotations

import pytest

from streams.decisions.in_flight import KEPT_PER_EVENT
from streams.decisions.records import Record, Rejected
from streams.join.items import DeadLetterDecision
from streams.join.settings import JoinSettings
from tests.support.broken_rules import broken
from tests.support.driven import TOPICS, Driven
from tests.support.outputs import outputs_of
from tests.support.paced import Paced
from tests.support.worlds import Media, media_of, record

FETCH = 50
OVERSHOOT = 3 * FETCH
"""What polls of three topics bring after the limit was reached."""


def _moments(n_moments: int) -> Media:
    times = [("s", 1_000 + 100 * k) for k in range(n_moments)]
    return media_of(image=times, text=times, audio=times)


def _slow_model(outage: range = range(0)) -> Paced:
    settings = JoinSettings(max_held_events=200)
    return Paced(settings, _moments(3_000), fetch=FETCH, fuses=5, outage=outage).run(6_000)


def test_a_slow_model_tears_no_set() -> None:
    """What is on its way frees itself: nothing is read meanwhile, and all moments are complete."""
    paced = _slow_model()
    assert paced.reasons == {"complete": 3_000}
    assert paced.max_held <= 200 + OVERSHOOT


def test_a_results_topic_that_is_away_tears_no_set() -> None:
    """Nothing is published for 300 rounds: reading stops at the soft limit, and nothing is decided by pressure."""
    paced = _slow_model(outage=range(100, 400))
    assert paced.reasons == {"complete": 3_000}
    assert paced.max_held <= 200 + OVERSHOOT


def test_with_one_topic_always_read_a_slow_model_tears_sets() -> None:
    """The rule that this one replaced: it reads on up to the hard limit, where pressure tears what is incomplete."""
    with broken("spare_what_frees_itself"):
        paced = _slow_model()
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


def _trickle(n_moments: int, round_ms: int) -> Paced:
    def available(topic: str, now_ms: int) -> int:
        return n_moments if topic == "media.image" else now_ms // 20

    settings = JoinSettings(max_held_events=1_000)
    media = _moments(n_moments)
    paced = Paced(settings, media, fetch=FETCH, round_ms=round_ms, available=available)
    return paced.run(n_moments * 25 // round_ms)


def test_a_lane_that_trickles_beside_a_backlog_of_another_loses_no_set() -> None:
    """20,000 images wait, text and audio come at 50 a second: all complete, little more held than the soft limit."""
    paced = _trickle(20_000, 20)
    assert paced.reasons == {"complete": 20_000}
    assert paced.max_held <= 1_000 + OVERSHOOT


def test_a_trickle_that_pauses_between_two_looks_loses_no_set() -> None:
    """Looked at more often than it comes, a live lane is caught up at times: the backlog beside it waits."""
    paced = _trickle(3_000, 5)
    assert paced.reasons == {"complete": 3_000}
    assert paced.max_held <= 1_000 + OVERSHOOT


def test_a_backlog_read_beside_a_live_lane_is_torn() -> None:
    """Without asking what undecided sets wait for, the backlog fills the room up to the hard limit."""
    with broken("read_what_is_wanted"):
        paced = _trickle(6_000, 5)
    assert paced.reasons["complete"] < 3_000


def _beside_a_dead_letter(images: list[Record], settings: JoinSettings) -> tuple[Driven, int]:
    """Images, each published at once, behind a dead letter that its topic does not take; and how many were read."""
    driven, n_read = Driven(settings), 0
    driven.publishes = False
    for start in range(0, len(images), 10):
        if IMAGE not in driven.read:
            break
        n_read = start + len(images[start : start + 10])
        driven.feed({IMAGE: images[:n_read]}).settle()
        while done := [task for task in driven.publishing if not isinstance(task.decision, DeadLetterDecision)]:
            driven.publishing = [task for task in driven.publishing if task not in done]
            driven.outputs += [output for task in done for output in outputs_of(task)]
            driven.owner.on_published(done)
            driven.wait(0, {IMAGE: len(images)})
    return driven, n_read


IMAGE = "media.image"
NO_KEY = Record(0, None, Rejected("no_key"), 10, None)
ALONE = JoinSettings(lanes=("image",), max_held_events=20, hard_limit_factor=2)


@pytest.mark.parametrize("times_ms", [100, 0], ids=["time goes on", "time stands still"])
def test_memory_is_bounded_beside_a_record_that_is_never_resolved(times_ms: int) -> None:
    """What lanes' clocks do not need is let go; what cannot be ends reading; and all comes out at last, once."""
    images = [NO_KEY, *[record("s", "image", n, 1_000 + times_ms * n, id_hash=n) for n in range(1, 3_001)]]
    driven, n_read = _beside_a_dead_letter(images, ALONE)
    load = driven.owner.in_flight.load
    if times_ms:
        assert (n_read, load.events) == (3_001, 1)
    else:
        assert n_read < 3_001
        assert 20 < load.events <= 40 + 10 // KEPT_PER_EVENT + 1
    assert driven.committed[IMAGE] == 0
    assert driven.owner.in_flight.held.events == 1
    driven.publishes = True
    driven.settle().feed({IMAGE: images}).settle()
    assert driven.committed[IMAGE] == 3_001
    assert (driven.read, driven.owner.in_flight.load) == (frozenset(TOPICS), (0, 0))
    assert sorted(key for members in driven.fused for key in members) == [(IMAGE, n) for n in range(1, 3_001)]


def test_pressure_tears_nothing_where_deciding_frees_nothing() -> None:
    """Over the hard limit by what is kept behind a dead letter: an image that waits for its text goes on waiting."""
    settings = JoinSettings(lanes_by_stream={"t": ("image", "text")}, lanes=("image",), max_held_events=10)
    waits = record("t", "image", 1, 1_000)
    images = [NO_KEY, waits, *[record(f"s{n}", "image", n, 1_000 + n) for n in range(2, 3_000)]]
    driven, _ = _beside_a_dead_letter(images, settings)
    assert driven.owner.in_flight.load.events > 40
    assert driven.owner.in_flight.held.events == 2
    assert not any((IMAGE, 1) in members for members in driven.fused)


def test_pressure_acts_where_what_is_kept_waits_for_a_decision() -> None:
    """An image waits for its text, and is what everything kept waits for: it is decided, so that reading can go on."""
    settings = JoinSettings(lanes_by_stream={"t": ("image", "text")}, lanes=("image",), max_held_events=10)
    images = [record("t", "image", 0, 1_000), *[record(f"s{n}", "image", n, 1_000 + n) for n in range(1, 3_000)]]
    driven, n_read = _beside_a_dead_letter(images, settings)
    assert n_read == 3_000
    assert ((IMAGE, 0),) in driven.fused
    assert driven.committed[IMAGE] == 3_000
