"""Laws of `streams.partition.lag`."""

from __future__ import annotations

from streams.partition.lag import TELL_AFTER_MS, HeldBack


def test_an_open_transaction_is_told_of_when_it_has_held_records_back_for_a_while() -> None:
    """With where it begins, how many offsets wait, and since when it was seen; no longer once it has ended."""
    held_back = HeldBack()
    for now_ms in (1_000, 1_000 + TELL_AFTER_MS):
        held_back.look(stable=40, high=55, position=40, now_ms=now_ms)
    assert held_back.say(999 + TELL_AFTER_MS) == ""
    assert held_back.say(1_000 + TELL_AFTER_MS).startswith(
        "an open transaction holds back 15 offsets from 40 on, for 5 s"
    )
    held_back.look(stable=56, high=56, position=40, now_ms=7_000)
    assert held_back.say(60_000) == ""


def test_whose_transaction_it_is_is_asked_for_once_and_told() -> None:
    """Again only where nobody answered, and for the next one."""
    held_back = HeldBack()
    for now_ms in (0, TELL_AFTER_MS):
        held_back.look(stable=40, high=55, position=40, now_ms=now_ms)
    assert [held_back.is_unnamed(now_ms) for now_ms in (TELL_AFTER_MS - 1, TELL_AFTER_MS)] == [False, True]
    held_back.name(None)
    assert held_back.is_unnamed(TELL_AFTER_MS)
    held_back.name("producer 7")
    assert not held_back.is_unnamed(TELL_AFTER_MS)
    assert held_back.say(TELL_AFTER_MS).startswith("an open transaction of producer 7 holds back 15 offsets")
    for now_ms in (6_000, 6_000 + TELL_AFTER_MS):
        held_back.look(stable=60, high=70, position=60, now_ms=now_ms)
    assert held_back.is_unnamed(6_000 + TELL_AFTER_MS)


def test_transactions_that_follow_each_other_hold_nobody_back() -> None:
    """Each begins where the one before it has ended."""
    held_back = HeldBack()
    for n in range(20):
        held_back.look(stable=10 * n, high=10 * n + 5, position=10 * n, now_ms=1_000 * n)
        assert held_back.say(1_000 * n + 999) == ""


def test_who_has_not_read_up_to_it_is_not_held_back() -> None:
    """As under back-pressure: there is enough to read before it."""
    held_back = HeldBack()
    held_back.look(stable=40, high=55, position=39, now_ms=0)
    assert held_back.say(60_000) == ""
