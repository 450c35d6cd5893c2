"""What is decided stands, whatever the settings of whoever carries it out."""

from __future__ import annotations

from streams.decisions.records import Record, Rejected
from streams.join.settings import JoinSettings
from tests.support.driven import Driven
from tests.support.worlds import media_of

SETTINGS = JoinSettings(tolerance_ms=45, max_wait_ms=2_000)
ONE = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
IMAGE, TEXT = "media.image", "media.text"
SHARE = JoinSettings(strategy="nearest", pivot="text", lanes=("image", "text"), share=True)


def _heir(first: Driven, settings: JoinSettings) -> Driven:
    return Driven(settings, first.log, first.committed, worker="b", generation=2)


def test_an_owner_knows_which_records_the_log_has_taken_for_good() -> None:
    """Members of sets and unfused ones, until they have come; never dead letters."""
    first = Driven(SETTINGS)
    first.publishes = False
    broken = Record(1, None, Rejected("no_key"), 10, None)
    first.feed(ONE | {IMAGE: [*ONE[IMAGE], broken]}).settle()
    second = _heir(first, SETTINGS)
    assert second.owner.execution.accepted(IMAGE, range(5)) == {0}
    second.feed(ONE).settle()
    assert second.owner.execution.accepted(IMAGE, range(5)) == frozenset()


def test_a_member_that_was_shared_is_in_no_set_of_who_does_not_share() -> None:
    """It was in a set and is still open; whoever does not share closes it, though its text would fit once more."""
    images, texts = [("s", 1_010), ("s", 1_500)], [("s", 1_000), ("s", 1_015), ("s", 1_500)]
    first = Driven(SHARE).feed(media_of(image=images, text=texts[:1])).settle()
    assert first.fused == [((IMAGE, 0), (TEXT, 0))]
    assert first.committed[IMAGE] == 0
    second = _heir(first, JoinSettings(strategy="nearest", pivot="text", lanes=("image", "text")))
    second.feed(media_of(image=images, text=texts)).settle()
    assert [members for members in second.fused if (IMAGE, 0) in members] == []
    assert second.committed[IMAGE] == 2


def test_a_window_that_is_published_by_who_has_another_size_ends_where_it_did() -> None:
    """The log says where; a repeat must say what was said first."""
    first = Driven(JoinSettings(strategy="tumbling", size_ms=500)).feed(
        media_of(
            image=[("s", 1_000), ("s", 1_500)], text=[("s", 1_000), ("s", 1_500)], audio=[("s", 1_000), ("s", 1_500)]
        )
    )
    first.settle()
    (decided,) = first.decisions
    assert (decided.start_ms, decided.end_ms) == (1_000, 1_500)
