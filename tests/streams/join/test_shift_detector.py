"""The warning that the tolerance is too near the period."""

from __future__ import annotations

from random import Random

import pytest

from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from tests.support.joining import item


def with_loss(tolerance_ms: int, share: float, jitter_ms: int = 20) -> PartitionJoin:
    """2,000 moments 100 ms apart in two lanes that arrive as they happen, some items lost."""
    random, join = Random(7), PartitionJoin(JoinSettings(lanes=("image", "text"), tolerance_ms=tolerance_ms))
    items = [
        item(lane, 100 * n + random.randrange(jitter_ms + 1), n)
        for n in range(2_000)
        for lane in ("image", "text")
        if random.random() >= share
    ]
    for one in sorted(items, key=lambda one: one.time_ms):
        join.add(one, 0)
        join.decide(0)
    return join


def test_tolerance_equal_to_the_period_with_one_percent_loss_warns() -> None:
    """One lost item pairs the following ones wrong, until another loss or enough jitter puts them right."""
    join = with_loss(tolerance_ms=100, share=0.01, jitter_ms=0)
    assert join.suspicious
    assert join.n_suspect_pairs > 0.3 * join.waits_ms.n
    assert with_loss(tolerance_ms=100, share=0.01, jitter_ms=20).suspicious


@pytest.mark.parametrize(("tolerance_ms", "share"), [(50, 0.01), (100, 0.0)])
def test_a_fitting_tolerance_or_no_loss_does_not_warn(tolerance_ms: int, share: float) -> None:
    """Half the period parts no pair and joins no wrong one."""
    join = with_loss(tolerance_ms, share)
    assert join.n_suspect_pairs == 0
    assert not join.suspicious


def test_a_member_nearer_to_the_next_opener_counts_before_and_after_it_arrives() -> None:
    """Text 100 takes image 190; text 200, nearer to it, is held in the first case and comes later in the second."""
    rows = [("text", 100), ("text", 200), ("image", 190)]
    for order in (rows, [rows[0], rows[2], rows[1]]):
        join = PartitionJoin(JoinSettings(lanes=("image", "text"), tolerance_ms=100))
        for n, (lane, time_ms) in enumerate(order):
            join.add(item(lane, time_ms, n), 0)
            join.decide(0)
        join.add(item("text", 210, 9), 0)
        assert join.n_suspect_pairs == 1


def test_a_member_as_near_to_both_is_no_suspect() -> None:
    """150 lies between 100 and 200: nothing says that it is wrong, and a set counts once at most."""
    join = PartitionJoin(JoinSettings(tolerance_ms=100))
    for n, (lane, time_ms) in enumerate([("text", 100), ("image", 150), ("audio", 150), ("text", 200)]):
        join.add(item(lane, time_ms, n), 0)
        join.decide(0)
    assert join.waits_ms.n == 1
    assert join.n_suspect_pairs == 0


def test_few_sets_do_not_warn() -> None:
    """One suspect set of three is no statistics."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), tolerance_ms=100))
    for n, (lane, time_ms) in enumerate([("text", 100), ("image", 190), ("text", 200)]):
        join.add(item(lane, time_ms, n), 0)
        join.decide(0)
    assert join.n_suspect_pairs == 1
    assert not join.suspicious


def test_more_than_one_percent_is_suspicious() -> None:
    """One of 200 sets may happen to anybody; two more of them may not."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), tolerance_ms=100))
    for n in range(200):
        for lane in ("image", "text"):
            join.add(item(lane, 1_000 * n, n), 0)
    join.decide(0)
    for k, suspicious in enumerate((False, False, True)):
        for lane, time_ms in (("text", 100), ("image", 190), ("text", 200), ("image", 200)):
            join.add(item(lane, 1_000_000 + 1_000 * k + time_ms, 1_000 + time_ms + k), 0)
            join.decide(0)
        assert join.n_suspect_pairs == k + 1
        assert join.suspicious is suspicious
