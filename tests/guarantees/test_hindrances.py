"""Which workers may end with a code other than 0 when they are told to stop."""

import time

from tests.guarantees.hindrances import Hindrances


def test_nothing_is_felt_before_the_first_one() -> None:
    """A run without hindrances excuses nobody."""
    assert not Hindrances().felt_since(0.0)


def test_one_is_felt_while_it_lasts_and_by_who_was_told_before_its_end() -> None:
    """Told before it, in it, or before its end: excused; told afterwards: not."""
    hindrances = Hindrances()
    with hindrances.one():
        told_in_it = time.monotonic()
        assert hindrances.felt_since(told_in_it)
    assert hindrances.felt_since(told_in_it)
    assert not hindrances.felt_since(time.monotonic() + 0.001)


def test_of_two_at_a_time_the_longer_counts() -> None:
    """The end of one does not end the other."""
    hindrances = Hindrances()
    with hindrances.one():
        with hindrances.one():
            pass
        assert hindrances.felt_since(time.monotonic() + 0.001)


def test_the_aftermath_is_felt_too() -> None:
    """Who is told while workers are still on their way back is excused, whatever ends without one meanwhile."""
    hindrances = Hindrances()
    with hindrances.one(aftermath_s=60.0):
        pass
    with hindrances.one():
        pass
    assert hindrances.felt_since(time.monotonic() + 30.0)
    assert not hindrances.felt_since(time.monotonic() + 61.0)


def test_what_holds_up_one_worker_excuses_no_other() -> None:
    """A worker that stood still is excused, the others are not."""
    hindrances = Hindrances()
    with hindrances.one(aftermath_s=60.0, whom="first"):
        assert hindrances.felt_since(time.monotonic(), "first")
        assert not hindrances.felt_since(time.monotonic(), "second")
    assert hindrances.felt_since(time.monotonic() + 30.0, "first")
    assert not hindrances.felt_since(time.monotonic() - 30.0, "second")
