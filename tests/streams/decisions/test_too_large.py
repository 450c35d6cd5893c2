"""A set fails after its turn has come: its result is more than its topic takes (streams/decisions/execution.py)."""

from __future__ import annotations

from streams.decisions.records import Task
from streams.join.items import FailedDecision, SetDecision
from streams.join.settings import JoinSettings
from tests.support.driven import TOPICS, Driven
from tests.support.worlds import media_of

IMAGE, TEXT, AUDIO = TOPICS
NO_TIMERS = JoinSettings(tolerance_ms=45, max_wait_ms=10**9)
MEDIA = media_of(**{name: [("s", 1_000), ("s", 2_000)] for name in ("image", "text", "audio")})


def handed_over(**changes: bool) -> tuple[Driven, list[Task]]:
    """An owner whose two sets of one stream are with the producer."""
    driven = Driven(NO_TIMERS)
    driven.publishes = False
    driven.feed(MEDIA).settle()
    for name, value in changes.items():
        setattr(driven, name, value)
    tasks, driven.publishing = driven.publishing, []
    assert [task.handed_over for task in tasks] == [True, True]
    return driven, tasks


def test_its_failure_is_a_decision_before_a_dead_letter_is_sent() -> None:
    """It comes back to be published, as what it is now; what was behind it was published meanwhile, or is after."""
    driven, (first, second) = handed_over()
    driven.owner.on_failed(first, "too_large")
    assert driven.publishing == []
    driven.settle()
    assert driven.decisions[-1] == FailedDecision(((IMAGE, 0), (TEXT, 0), (AUDIO, 0)), "too_large", ())
    assert driven.publishing == [first]
    driven.publishes, driven.publishing = True, [first, second]
    driven.settle()
    assert driven.said("deadletter") == [("too_large", key) for key in ((IMAGE, 0), (TEXT, 0), (AUDIO, 0))]
    assert driven.fused == [((IMAGE, 1), (TEXT, 1), (AUDIO, 1))]
    assert driven.committed == dict.fromkeys(TOPICS, 2)
    assert driven.owner.idle


def test_it_fails_once_however_often_it_is_refused() -> None:
    """One proposal, one decision, one dead letter each."""
    driven, (first, _) = handed_over()
    for _ in range(3):
        driven.owner.on_failed(first, "too_large")
        driven.settle()
    assert [type(one) for one in driven.decisions].count(FailedDecision) == 1
    assert driven.publishing == [first]


def test_a_successor_obeys_the_failure() -> None:
    """Whatever its topic takes by then."""
    driven, (first, _) = handed_over()
    driven.owner.on_failed(first, "too_large")
    driven.settle()
    second = driven.successor().feed(MEDIA).settle()
    assert [reason for reason, _ in second.said("deadletter")] == ["too_large"] * 3
    assert second.fused == [((IMAGE, 1), (TEXT, 1), (AUDIO, 1))]


def test_a_failure_that_was_proposed_under_a_lost_claim_is_proposed_again() -> None:
    """Its result waits at its place; nobody else would ever end it."""
    driven, (first, _) = handed_over(appends=False)
    driven.owner.on_failed(first, "too_large")
    driven.settle()
    assert not any(isinstance(one, FailedDecision) for one in driven.decisions)
    Driven(NO_TIMERS, driven.log, worker="stranger", generation=1)  # claims, and is gone
    driven.appends = True
    for _ in range(3):
        driven.now_ms += 1
        driven.settle()
    assert sum(isinstance(one, SetDecision) for one in driven.decisions) == 2
    assert driven.publishing == [first]
    assert first.failed == "too_large"
