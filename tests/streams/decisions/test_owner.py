"""The owner of one partition number, where its parts meet."""

from __future__ import annotations

from streams.decisions.records import Record, Rejected
from streams.join.items import Item
from streams.join.settings import JoinSettings
from tests.support.driven import TOPICS, Driven, records_of
from tests.support.worlds import media_of

IMAGE, TEXT, AUDIO = "media.image", "media.text", "media.audio"
SETTINGS = JoinSettings(tolerance_ms=45, max_wait_ms=2_000)


def test_whoever_lost_its_claim_reads_nothing() -> None:
    """It may not decide, so what it reads would be held without a limit."""
    first = Driven(SETTINGS)
    first.successor()
    first.owner.on_log(records_of(first.log), first.now_ms)
    assert first.owner.state == "lost"
    assert first.owner.take_commands().read == frozenset()


def test_the_bound_of_a_time_out_outlives_a_crash() -> None:
    """Text t=1,016 timed out; crash before it is committed; image t=1,010 is late though it is read before the text."""
    first = Driven(SETTINGS)
    first.publishes = False
    first.feed(media_of(text=[("s", 1_016)])).settle()
    first.wait(2_500, {TEXT: 1}).wait(2_500, {TEXT: 1})
    assert len(first.decisions) == 1
    second = first.successor().feed(media_of(image=[("s", 1_010)]) | {TEXT: []}).settle()
    assert second.said("unfused") == [("late", (IMAGE, 0))]


def test_a_broken_record_of_a_lane_from_another_topic_moves_no_watermark() -> None:
    """Nobody waits for lane `image` in media.text: neither now nor after a crash does it make an image late."""
    stray = Item("s", "image", TEXT, 0, 9_000, 9_000, 1, 1_000_000)
    first = Driven(SETTINGS).feed({TEXT: [Record(0, stray, Rejected("undecodable"), 1, None)]}).settle()
    assert first.committed[TEXT] == 1
    for owner in (first, first.successor()):
        assert owner.feed(media_of(image=[("s", 1_000)]) | {TEXT: [None]}).settle().said("unfused") == []


def test_records_that_are_delivered_twice_are_taken_once() -> None:
    """As after a seek."""
    media = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
    first = Driven(SETTINGS).feed(media).feed(media).settle().feed(media).settle()
    assert len(first.outputs) == 1
    assert first.owner.in_flight.held == (0, 0)


def test_a_worker_that_has_nothing_under_way_is_idle() -> None:
    """Undecided items may be left to a successor; decided ones may not."""
    first = Driven(SETTINGS).feed(media_of(image=[("s", 1_000)])).settle()
    assert first.owner.idle
    first.publishes = False
    first.feed(media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])).settle()
    assert not first.owner.idle
    first.publishes = True
    assert first.settle().owner.idle
    assert first.committed == dict.fromkeys(TOPICS, 1)


def test_a_shared_item_is_resolved_when_its_last_pivot_is_past() -> None:
    """`share`: one image serves two texts; it is committed only after it was closed, and a crash between keeps that."""
    settings = JoinSettings(
        strategy="nearest", share=True, pivot="text", lanes=("image", "text"), tolerance_ms=100, max_wait_ms=10**8
    )
    media = media_of(image=[("s", 1_000), ("s", 5_000)], text=[("s", 990), ("s", 1_010)])
    first = Driven(settings).feed(media).settle()
    assert first.fused == [((IMAGE, 0), (TEXT, 0)), ((IMAGE, 0), (TEXT, 1))]
    assert first.committed == {IMAGE: 0, TEXT: 2, AUDIO: 0}

    later = media_of(image=[("s", 1_000), ("s", 5_000)], text=[("s", 990), ("s", 1_010), ("s", 5_000)])
    second = first.successor().feed(later).settle()
    assert second.fused == [((IMAGE, 1), (TEXT, 2))]
    assert second.committed == {IMAGE: 1, TEXT: 3, AUDIO: 0}
