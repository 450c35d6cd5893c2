"""Records are read as what they hold, and a result that was handed out is known for a while."""

from __future__ import annotations

import msgspec

from syncline.consumer import READABLE_TOPICS, DedupCache, Received
from syncline.wire.contract import CONVERTED_AUDIO, CONVERTED_TEXT, DEADLETTER, FUSED, UNFUSED
from tests.support.contract import example_unfused


def received(result_id: str, topic: str = UNFUSED) -> Received:
    """A result of which the id alone matters."""
    return Received(msgspec.structs.replace(example_unfused(), id=result_id), topic, 0, 0, 0)


def test_every_topic_of_results_can_be_read() -> None:
    """And the media topics, which hold no results, cannot."""
    assert set(READABLE_TOPICS) == {FUSED, CONVERTED_TEXT, CONVERTED_AUDIO, UNFUSED, DEADLETTER}


def test_a_result_is_a_repeat_while_it_is_remembered() -> None:
    """The oldest goes first; being seen again makes it no younger."""
    remembered = DedupCache(2)
    assert [remembered.is_repeat(received(name)) for name in "abaab"] == [False, False, True, True, True]
    assert [remembered.is_repeat(received(name)) for name in "cab"] == [False, False, False]


def test_the_same_id_in_another_topic_is_another_result() -> None:
    """A record's transcript and its being unfused have nothing to do with each other."""
    remembered = DedupCache(2)
    assert not remembered.is_repeat(received("a", UNFUSED))
    assert not remembered.is_repeat(received("a", DEADLETTER))
