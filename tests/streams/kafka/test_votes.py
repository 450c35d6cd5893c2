"""streams.kafka.cluster_watch.py: what several nodes' answers come to."""

from __future__ import annotations

import pytest

from streams.kafka.cluster_watch import Votes


def after(nodes: list[int], *answers: tuple[int, int]) -> int | None:
    """What is agreed on after these answers, each (node, number of partitions)."""
    votes = Votes()
    for node, n_partitions in answers:
        votes.add(node, nodes, n_partitions)
    return votes.agreed


@pytest.mark.parametrize("odd", [0, 3, 8], ids=["missing", "fewer", "more"])
def test_one_odd_answer_is_not_agreed_on(odd: int) -> None:
    """Nor are two: the third agrees with what was there before."""
    assert after([1], (1, 4), (1, 4), (1, 4), (1, odd), (1, odd), (1, 4), (1, 4), (1, 4)) == 4
    assert after([1], (1, 4), (1, 4), (1, 4), (1, odd), (1, odd)) is None


def test_three_in_a_row_of_one_node_alone_are_agreed_on() -> None:
    """It has nobody to disagree with."""
    assert after([1], (1, 4), (1, 5), (1, 5), (1, 5)) == 5


def test_one_node_of_three_persuades_nobody_however_often_it_says_it() -> None:
    """It has lost its controller, or has just begun."""
    odd = [(1, 0), (2, 4), (3, 4)] * 5
    assert after([1, 2, 3], *odd) == 4


def test_more_than_half_of_the_nodes_are_enough() -> None:
    """One that is cut off says the old number for ever; one that is gone says nothing, and counts."""
    assert after([1, 2, 3], (1, 4), (2, 5), (3, 5), (1, 4), (2, 5)) == 5
    assert after([1, 2, 3], (2, 5), (3, 5), (2, 5)) == 5
    assert after([1, 2, 3, 4], (2, 5), (3, 5), (2, 5)) is None


def test_a_node_that_left_the_cluster_has_no_vote() -> None:
    """Of two of which one is gone, the other decides."""
    votes = Votes()
    for node, nodes, n_partitions in [(1, [1, 2], 4), (1, [1, 2], 4), (2, [1, 2], 5), *[(2, [2], 5)] * 2]:
        votes.add(node, nodes, n_partitions)
    assert votes.agreed == 5


def test_a_number_is_sure_since_the_oldest_of_the_nodes_newest_answers() -> None:
    """As long as all say it, and all have been asked."""
    votes, nodes = Votes(), [1, 2]
    votes.add(1, nodes, 4, 10)
    assert votes.all_said(4) is None
    votes.add(2, nodes, 4, 20)
    assert votes.all_said(4) == 10
    votes.add(1, nodes, 4, 30)
    assert votes.all_said(4) == 20
    votes.add(2, nodes, 5, 40)
    assert votes.all_said(4) is None
