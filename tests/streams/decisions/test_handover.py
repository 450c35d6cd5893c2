"""Handing over: an owner that was told to rest carries out what is decided, and its successor repeats nothing."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from streams.join.settings import JoinSettings
from tests.support.driven import TOPICS, Driven
from tests.support.outputs import Output
from tests.support.worlds import Media, media_of, random_media, random_settings

SETTINGS = JoinSettings(tolerance_ms=45, max_wait_ms=10**8)
ALONE = {"image": ("a", 1_000), "text": ("b", 1_000), "audio": ("c", 1_000)}
"""One waits in each lane, each of another stream, so that nothing behind them can be acknowledged."""


def behind_those_that_wait(*times_ms: int) -> Media:
    """Moments of one stream behind one record of other streams in each topic."""
    return media_of(**{lane: [first, *(("d", time_ms) for time_ms in times_ms)] for lane, first in ALONE.items()})


def test_what_was_published_above_the_acknowledged_offsets_is_not_published_again() -> None:
    """Not one member of the set is acknowledged: the snapshot says that it is out."""
    first = Driven(SETTINGS).feed(behind_those_that_wait(2_000)).settle()
    assert first.committed == dict.fromkeys(TOPICS, 0)
    second = first.snapshot().successor().feed(behind_those_that_wait(2_000, 3_000)).settle()
    assert first.fused == [tuple((topic, 1) for topic in TOPICS)]
    assert second.fused == [tuple((topic, 2) for topic in TOPICS)]


def test_whoever_rests_decides_nothing_more() -> None:
    """What is complete stays for the successor, who decides it once."""
    first = Driven(SETTINGS)
    first.owner.rest()
    first.feed(behind_those_that_wait(2_000)).settle()
    assert first.decisions == []
    assert first.owner.idle
    second = first.snapshot().successor().feed(behind_those_that_wait(2_000)).settle()
    assert second.fused == [tuple((topic, 1) for topic in TOPICS)]


def test_whoever_rests_still_says_in_the_log_that_a_set_failed() -> None:
    """The model fails on a set that is decided: its dead letters go out before the partition is handed over."""
    first = Driven(SETTINGS)
    first.has_model = False
    first.feed(behind_those_that_wait(2_000)).settle()
    first.owner.rest()
    assert not first.owner.idle
    first.owner.on_failed(first.models.pop(), "model_failed")
    first.settle()
    assert first.owner.idle
    assert [reason for reason, _ in first.said("deadletter")] == ["model_failed"] * 3


def test_what_waits_for_records_that_have_not_come_holds_up_nobody() -> None:
    """After a crash sets wait for their members to be read again; who is told to rest meanwhile reads no more."""
    first = Driven(SETTINGS)
    first.publishes = False
    first.feed(behind_those_that_wait(2_000, 3_000)).settle()
    media = behind_those_that_wait(2_000, 3_000)
    second = first.successor().feed(media | {"media.text": media["media.text"][:2]})
    second.publishes = False
    second.settle()
    assert not second.owner.idle, "the first set is complete"
    second.publishes = True
    second.owner.rest()
    second.settle()
    assert second.owner.idle, "the second set waits for its text"
    third = second.snapshot().successor("c").feed(media).settle()
    assert [*second.fused, *third.fused] == [tuple((topic, offset) for topic in TOPICS) for offset in (1, 2)]


def test_a_batch_that_was_not_read_back_is_waited_for() -> None:
    """It is in the log: whoever comes next would have to carry it out."""
    first = Driven(SETTINGS)
    first.reads_log = False
    first.feed(behind_those_that_wait(2_000)).settle()
    first.owner.rest()
    assert not first.owner.idle
    first.reads_log = True
    assert first.settle().owner.idle


def test_a_snapshot_waits_for_the_entry_that_is_on_its_way() -> None:
    """Asked for while a batch is being appended, it is written behind it."""
    first = Driven(SETTINGS)
    first.appends = False
    first.feed(behind_those_that_wait(2_000)).settle()
    first.owner.rest()
    first.owner.ask_for_snapshot()
    assert not first.owner.snapshot_is_written
    first.appends = True
    first.settle()
    assert first.owner.snapshot_is_written
    assert first.entries[-1].part == first.entries[-1].n_parts - 1  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_said_twice_over_clean_handovers(seed: int) -> None:
    """Whatever the settings, the media and the moments of handing over, the outputs of all owners are distinct."""
    random = Random(f"handover {seed}")
    settings = random_settings(random, timers=random.random() < 0.5, limits=random.random() < 0.5)
    media = random_media(random, settings)
    owner, outputs = Driven(settings), list[Output]()
    positions = dict.fromkeys(media, 0)
    for number in range(6):
        for topic in sorted(owner.read):
            positions[topic] = max(positions[topic], random.randint(0, len(media[topic])))
            owner.feed({topic: media[topic][: positions[topic]]}).settle()
        owner.wait(random.choice((0, 200, 3_000)), {topic: len(log) for topic, log in media.items()})
        outputs += hand_over(owner)
        owner = owner.successor(f"w{number}")
        positions = dict(owner.committed)
    repeated = [output for output, n_times in Counter(outputs).items() if n_times > 1]
    assert repeated == []


def hand_over(owner: Driven) -> list[Output]:
    """Let it rest and write its snapshot; all that it published."""
    owner.owner.rest()
    owner.settle()
    owner.owner.ask_for_snapshot()
    owner.settle()
    return owner.outputs
