"""Which records may have been placed by the number of partitions of before: what claims say, and who says it."""

from __future__ import annotations

import pytest

from streams.decisions.entries import Batch, Claim, FormerPlacement
from streams.decisions.former_counts import MorePartitionsError, merged, other_counts, still_placed
from streams.join.settings import JoinSettings
from tests.support.driven import TOPICS, Driven
from tests.support.worlds import Media, media_of

SETTINGS = JoinSettings(tolerance_ms=45, max_wait_ms=10**8)


def alone(n_images: int) -> Media:
    """Images whose other lanes have not come: nothing of them is decided."""
    return media_of(image=[("s", 1_000 + 100 * n) for n in range(n_images)])


def moments(n_moments: int) -> Media:
    times = [("s", 1_000 + 100 * n) for n in range(n_moments)]
    return media_of(image=times, text=times, audio=times)


def claims_of(driven: Driven) -> list[tuple[str, int, tuple[FormerPlacement, ...]]]:
    """Who claimed, how many partitions it counted, and what it says of those before."""
    claims = [entry for entry in driven.entries if isinstance(entry, Claim)]
    return [(claim.worker, claim.n_partitions, claim.placed) for claim in claims]


def test_a_record_below_a_boundary_may_have_been_placed_by_the_number_of_before() -> None:
    """In its own topic; at the boundary and above, by the present one alone."""
    placed = [FormerPlacement(2, {"media.image": 10, "media.text": 5}), FormerPlacement(3, {"media.image": 20})]
    assert other_counts(placed, "media.image", 9) == [2, 3]
    assert other_counts(placed, "media.image", 10) == [3]
    assert other_counts(placed, "media.text", 5) == []
    assert other_counts(placed, "media.audio", 0) == []


def test_what_several_claims_say_of_one_number_goes_up_to_the_highest_offset() -> None:
    """Each of their owners asked at another time."""
    said = merged(
        [FormerPlacement(3, {"a": 1}), FormerPlacement(2, {"a": 5, "b": 1}), FormerPlacement(2, {"a": 4, "b": 2})]
    )
    assert said == (FormerPlacement(2, {"a": 5, "b": 2}), FormerPlacement(3, {"a": 1}))


def test_what_is_committed_in_all_topics_need_not_be_said_any_more() -> None:
    """As long as one topic is behind its boundary, all of it is."""
    claim = Claim("a", 1, 0, 0, placed=(FormerPlacement(2, {"a": 5, "b": 2}), FormerPlacement(3, {"a": 9})))
    assert still_placed([claim], {"a": 5, "b": 1}) == claim.placed
    assert still_placed([claim], {"a": 5, "b": 2}) == claim.placed[1:]


def test_an_owner_that_counts_more_says_where_before_it_proposes_anything() -> None:
    """It asked how far the topics reach; what it decides then stands behind a claim that says so."""
    first = Driven(SETTINGS, n_partitions=2).feed(moments(3)).settle()
    first.feed(alone(5)).settle()
    n_before = len(first.log)
    second = first.successor(n_partitions=3).feed(moments(5)).settle()
    below = FormerPlacement(2, {"media.image": 5, "media.text": 3, "media.audio": 3})
    assert claims_of(second)[-1] == ("b", 3, (below,))
    assert second.owner.placed == (below,)
    say_so = {n for n, entry in enumerate(second.entries) if isinstance(entry, Claim) and entry.placed}
    decided_under = {entry.claim for entry in second.entries[n_before:] if isinstance(entry, Batch)}
    assert decided_under
    assert decided_under <= say_so


def test_every_owner_that_begins_below_the_boundary_says_it_on() -> None:
    """Renewals too; whoever begins above it does not."""
    first = Driven(SETTINGS, n_partitions=2).feed(moments(1)).settle().feed(alone(4)).settle()
    second = first.successor(n_partitions=3).settle().snapshot()
    third = second.successor(worker="c", generation=3).settle().snapshot()
    below = (FormerPlacement(2, {"media.image": 4, "media.text": 1, "media.audio": 1}),)
    assert [placed for worker, _, placed in claims_of(third) if worker == "c"][1:] == [below, below]
    third.feed(moments(4)).settle()
    last = third.successor(worker="d", generation=4).settle().snapshot()
    assert last.owner.placed == ()
    assert {placed for worker, _, placed in claims_of(last) if worker == "d"} == {()}


def test_a_worker_that_ended_before_it_could_say_anything_is_no_reason_to_forget() -> None:
    """Its first claim counts three, and nothing stands under it: the next one knows of the two all the same."""
    first = Driven(SETTINGS, n_partitions=2).feed(alone(4)).settle()
    second = first.successor(n_partitions=3)
    third = second.successor(worker="c", generation=3).settle()
    assert [one.n_partitions for one in third.owner.placed] == [2]


def test_one_growth_after_the_other_is_said_of_each() -> None:
    """Where nothing was decided between them."""
    first = Driven(SETTINGS, n_partitions=2).feed(alone(2)).settle()
    second = first.successor(n_partitions=3).feed(alone(4)).settle()
    third = second.successor(worker="c", generation=3, n_partitions=5).settle()
    assert [(one.n_partitions, one.below["media.image"]) for one in third.owner.placed] == [(2, 2), (3, 4)]


def test_where_nothing_has_grown_no_claim_is_renewed_for_it() -> None:
    """As after every rebalance."""
    first = Driven(SETTINGS, n_partitions=3).feed(moments(3)).settle()
    assert not first.successor().owner.must_place


def test_claims_that_say_no_number_are_no_growth() -> None:
    """Those of before 1.3 say nothing: then the present number is all that is known."""
    first = Driven(SETTINGS, n_partitions=0).feed(moments(3)).settle()
    second = first.successor(n_partitions=3)
    assert not second.owner.must_place


def test_an_owner_whose_count_is_older_than_the_logs_does_nothing() -> None:
    """It was started before the topics grew, and has not seen it: it must count again, in whatever it does."""
    first = Driven(SETTINGS, n_partitions=2).feed(moments(3)).settle()
    second = first.successor(n_partitions=3).settle()
    with pytest.raises(MorePartitionsError, match="3 partitions, and this worker has counted 2"):
        first.settle()
    with pytest.raises(MorePartitionsError):
        second.successor(worker="c", generation=3, n_partitions=2)


def test_an_owner_of_a_new_partition_number_begins_with_an_empty_log() -> None:
    """Nothing is committed of it, and nothing was decided."""
    new = Driven(SETTINGS, n_partitions=3, fresh=TOPICS).feed(moments(2)).settle()
    assert len(new.fused) == 2
    assert new.owner.placed == ()
