"""Committed offsets that are gone, records that retention took, topics that were made anew."""

from __future__ import annotations

import pytest

from streams.decisions.recovery import MadeAnewError
from streams.join.settings import JoinSettings
from tests.support.driven import TOPICS, Driven
from tests.support.worlds import Media, media_of

IMAGE, TEXT, AUDIO = TOPICS
SETTINGS = JoinSettings(tolerance_ms=45, max_wait_ms=10**8)


def _moments(n_moments: int, first_ms: int = 1_000) -> Media:
    times = [("s", first_ms + 100 * n) for n in range(n_moments)]
    return media_of(image=times, text=times, audio=times)


def _without(media: Media, **n_deleted: int) -> Media:
    """What is left of the topics when their first records have been deleted."""
    return {t: [None] * n_deleted.get(t[6:], 0) + log[n_deleted.get(t[6:], 0) :] for t, log in media.items()}


def _fresh(first: Driven, **starts: int) -> Driven:
    """Who comes after `first` when its group is gone; each topic begins at `starts` now."""
    begins = {topic: starts.get(topic[6:], 0) for topic in TOPICS}
    return Driven(SETTINGS, first.log, begins, worker="b", generation=1, fresh=frozenset(TOPICS)).settle()


def test_without_committed_offsets_what_the_log_decided_stands() -> None:
    """The group was deleted: all is read again, results come again as they were, and nothing is decided anew."""
    first = Driven(SETTINGS).feed(_moments(3)).settle().snapshot()
    n_decisions = len(first.decisions)
    second = _fresh(first).feed(_moments(4)).settle()
    assert second.fused[:3] == first.fused
    assert len(second.fused) == 4
    assert len(second.decisions) == n_decisions + 1
    assert second.committed == dict.fromkeys(TOPICS, 4)


def test_without_committed_offsets_a_snapshot_below_what_is_left_is_enough() -> None:
    """The log was cut at its start, and so were the topics: nothing of what is left is missing in the log."""
    first = Driven(SETTINGS).feed(_moments(3)).settle().snapshot()
    first.feed(_moments(5)).settle()
    cut = Driven(SETTINGS, first.log, dict.fromkeys(TOPICS, 4), worker="b", fresh=frozenset(TOPICS), log_start=2)
    second = cut.settle().feed(_without(_moments(6), image=4, text=4, audio=4)).settle()
    assert second.fused == [tuple((topic, n) for topic in TOPICS) for n in (4, 5)]


def test_a_set_that_retention_cut_in_two_is_not_published_again_where_the_log_says_it_was() -> None:
    """Images below 2 are gone, and the snapshot says that all below 3 was published: the texts have their outcome."""
    first = Driven(SETTINGS).feed(_moments(3)).settle().snapshot()
    second = _fresh(first, image=2).feed(_without(_moments(4), image=2)).settle()
    assert second.fused == [tuple((topic, n) for topic in TOPICS) for n in (2, 3)]
    assert second.said("deadletter") == []
    assert second.committed == dict.fromkeys(TOPICS, 4)


def test_a_set_that_retention_cut_in_two_fails_where_nobody_knows_that_it_was_published() -> None:
    """Decided, not published, the group and the image are deleted: the others have an outcome, also after a crash."""
    first = Driven(SETTINGS).feed(_moments(1)).settle().snapshot()
    first.publishes = False
    first.feed(_moments(2)).settle()
    second = _fresh(first, image=2)
    second.publishes = False
    second.feed(_without(_moments(2), image=2)).settle()
    assert second.committed[IMAGE] == 2
    third = Driven(SETTINGS, second.log, second.committed, worker="c", generation=2, fresh=frozenset(TOPICS)).settle()
    third.feed(_without(_moments(2), image=2)).settle()
    assert third.said("deadletter") == [("lost", (TEXT, 1)), ("lost", (AUDIO, 1))]
    assert third.committed == dict.fromkeys(TOPICS, 2)


def test_an_empty_log_is_no_trouble_where_nothing_was_ever_committed() -> None:
    """The first worker over topics that are older than their retention."""
    assert Driven(SETTINGS, committed={IMAGE: 60}, fresh=frozenset(TOPICS)).owner.state == "owning"


def test_deleted_records_that_the_log_has_judged_are_told_from_the_others() -> None:
    """Of four deleted images two are in decided sets; the others have no outcome and never will."""
    first = Driven(SETTINGS).feed(media_of(image=[("s", 1_000), ("s", 1_100)])).settle()
    first.publishes = False
    first.feed(_moments(2) | {IMAGE: _moments(4)[IMAGE]}).settle()
    second = first.successor()
    assert second.owner.execution.n_unjudged(IMAGE, 0, 4) == 2
    assert second.owner.execution.n_unjudged(TEXT, 0, 2) == 0


def test_another_record_where_the_log_names_one_is_refused() -> None:
    """A topic that was deleted and created again has other records at the same offsets; no decision is about them."""
    first = Driven(SETTINGS)
    first.publishes = False
    first.feed(_moments(2)).settle()
    anew = media_of(image=[("s", 9_000), ("s", 9_100)])
    with pytest.raises(MadeAnewError, match=r"media\.image was deleted and created again: .*offset 0"):
        first.successor().feed({IMAGE: anew[IMAGE]})


def test_a_topic_that_ends_before_what_the_log_names_is_refused() -> None:
    """Made anew and still empty: the decided set would wait for ever, and everything behind it."""
    first = Driven(SETTINGS)
    first.publishes = False
    first.feed(_moments(2)).settle()
    second = first.successor()
    second.feed(_moments(2) | {IMAGE: []}).settle()
    assert second.owner.topics_to_ask() == {IMAGE}
    with pytest.raises(MadeAnewError, match=r"media\.image was deleted and created again: .*ends at offset 0"):
        second.wait(100, {IMAGE: 0}).wait(3_000, {IMAGE: 0})


def test_a_topic_whose_records_are_still_coming_is_waited_for() -> None:
    """What the log names lies below the broker's high watermark, however slowly it is read."""
    first = Driven(SETTINGS)
    first.publishes = False
    first.feed(_moments(2)).settle()
    second = first.successor()
    second.feed(_moments(2) | {IMAGE: []}).settle().wait(100, {IMAGE: 2}).wait(3_000, {IMAGE: 2})
    assert second.feed(_moments(2)).settle().fused == [tuple((topic, n) for topic in TOPICS) for n in (0, 1)]


def test_an_answer_from_before_the_claim_proves_nothing() -> None:
    """Whoever owned the partition then may have read further than that answer says."""
    first = Driven(SETTINGS)
    second = first.successor()
    second.reads_log = False
    asked_ms = second.now_ms - 10
    first.publishes = False
    first.feed(_moments(2)).settle()
    third = first.successor(worker="c", generation=3)
    for later_ms in (0, 5_000):
        third.owner.on_high_water(IMAGE, 0, asked_ms, third.now_ms + later_ms)
    assert third.owner.state == "owning"
