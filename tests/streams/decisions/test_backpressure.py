"""Which topics may be read."""

from __future__ import annotations

from streams.decisions.backpressure import Backpressure, TopicReadState
from streams.decisions.in_flight import Amount
from streams.join.settings import JoinSettings

FLOW = Backpressure(JoinSettings(max_held_events=10, max_held_bytes=1_000, hard_limit_factor=4))
NOTHING = Amount(0, 0)
BEHIND = {"image": TopicReadState(500, False, False), "text": TopicReadState(20, False, False)}


def test_up_to_the_soft_limit_everything_is_read() -> None:
    """In events and in bytes."""
    assert FLOW.readable(Amount(10, 1_000), Amount(10, 1_000), BEHIND) == {"image", "text"}


def test_limits_are_shared_out_again_while_it_runs() -> None:
    """A worker that inherits a partition number may hold less of each, and more again when it gives one away."""
    flow = Backpressure(JoinSettings(max_held_events=40, max_held_bytes=4_000, hard_limit_factor=4))
    for n_shares, events in ((1, 40), (4, 10), (1, 40)):
        flow.share_limits(n_shares)
        assert (flow.over_soft(Amount(events, 100 * events)), flow.over_soft(Amount(events + 1, 0))) == (False, True)
        assert (flow.over_hard(Amount(4 * events, 0)), flow.over_hard(Amount(0, 400 * events + 1))) == (False, True)
        assert flow.must_press(Amount(4 * events + 1, 0), NOTHING)


def test_over_the_soft_limit_the_topic_that_holds_least_is_read() -> None:
    """Of those that are behind."""
    assert FLOW.readable(Amount(11, 0), NOTHING, BEHIND) == {"text"}
    assert FLOW.readable(Amount(0, 1_001), NOTHING, BEHIND | {"text": TopicReadState(20, True, False)}) == {"image"}


def test_over_the_soft_limit_nothing_is_read_while_half_of_it_is_on_its_way() -> None:
    """That room frees itself."""
    assert FLOW.readable(Amount(11, 0), Amount(5, 0), BEHIND) == frozenset()
    assert FLOW.readable(Amount(11, 0), Amount(4, 0), BEHIND) != frozenset()


def test_a_topic_that_a_decided_set_waits_for_is_always_read() -> None:
    """What stands behind that set in its stream is on its way and does not free itself before."""
    waits = BEHIND | {"image": TopicReadState(500, False, True)}
    for held in (11, 41):
        assert FLOW.readable(Amount(held, 0), Amount(9, 0), waits) == {"image"}


def test_pressure_acts_over_the_hard_limit_only_while_little_is_on_its_way() -> None:
    """Else sets would be torn whose room comes free anyway."""
    assert not FLOW.must_press(Amount(40, 0), NOTHING)
    assert FLOW.must_press(Amount(41, 0), Amount(4, 0))
    assert not FLOW.must_press(Amount(41, 0), Amount(5, 0))
    assert FLOW.readable(Amount(41, 0), NOTHING, BEHIND) == frozenset()


def test_a_backlog_waits_beside_a_live_lane_that_sets_wait_for() -> None:
    """Only that lane is read; once it falls silent the backlog goes on."""
    topics = {"image": TopicReadState(500, False, False), "text": TopicReadState(0, True, False, wanted=True)}
    assert FLOW.readable(Amount(11, 0), NOTHING, topics, alive=True) == {"text"}
    assert FLOW.readable(Amount(11, 0), NOTHING, topics, alive=False) == {"image"}


def test_a_topic_that_undecided_sets_wait_for_comes_before_one_that_holds_less() -> None:
    """It is what lets them be decided."""
    topics = {"image": TopicReadState(500, False, False, wanted=True), "text": TopicReadState(0, False, False)}
    assert FLOW.readable(Amount(11, 0), NOTHING, topics, alive=True) == {"image"}
