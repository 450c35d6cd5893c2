"""Laws of `syncline.deadletter.filter`."""

from __future__ import annotations

import pytest

from syncline.deadletter.filter import DeadLetterFilter, LetterCounts, parse_when, stream_of
from syncline.errors import SettingsError
from tests.support.letters import letter

NOW_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z


@pytest.mark.parametrize(
    ("selection", "takes"),
    [
        (DeadLetterFilter(), True),
        (DeadLetterFilter(reason="image_header", stream="lobby", since_ms=1_000, until_ms=1_001, place=(2, 5)), True),
        (DeadLetterFilter(reason="image"), False),
        (DeadLetterFilter(stream="hall"), False),
        (DeadLetterFilter(since_ms=1_001), False),
        (DeadLetterFilter(until_ms=1_000), False),
        (DeadLetterFilter(place=(2, 6)), False),
        (DeadLetterFilter(place=(1, 5)), False),
    ],
)
def test_every_filter_must_hold(selection: DeadLetterFilter, takes: bool) -> None:
    """What is not given does not matter; `since` is taken itself, `until` is not."""
    assert selection.takes(letter((2, 5), append_ms=1_000)) == takes


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("", None),
        ("90s", NOW_MS - 90_000),
        ("30m", NOW_MS - 1_800_000),
        ("12h", NOW_MS - 43_200_000),
        ("7d", NOW_MS - 604_800_000),
        ("99999d", 0),
        ("2026-03-01T12:00:00Z", NOW_MS),
        ("2026-03-01T13:00:00+01:00", NOW_MS),
    ],
)
def test_times_are_given_as_such_or_as_how_long_ago(text: str, ms: int | None) -> None:
    """Never before 1970."""
    assert parse_when("--since", text, NOW_MS) == ms


@pytest.mark.parametrize("text", ["yesterday", "5", "5w", "-5m", "2026-03-01", "1.5h", "٥m"])
def test_other_times_are_refused_with_what_is_taken(text: str) -> None:
    """The option is named."""
    with pytest.raises(SettingsError, match="--since: got"):
        parse_when("--since", text, NOW_MS)


def test_the_stream_is_the_key_or_what_the_headers_say() -> None:
    """A record without key may still say to which stream it belongs."""
    assert stream_of(letter(key=b"hall").letter) == "hall"
    assert stream_of(letter(key=None).letter) == "lobby"
    assert stream_of(letter(key=None, headers=[]).letter) == ""
    assert stream_of(letter(key=b"\xff").letter) == "\ufffd"


def test_repeats_count_once_and_the_newest_are_kept_without_bytes() -> None:
    """A crash may write a letter twice; a million letters with a megabyte each must not stay in memory."""
    letters = [letter((0, n), append_ms=n, offset=n % 4) for n in range(6)]
    counters = LetterCounts(2)
    counters.take(letters[:4])
    counters.take(letters[4:])
    assert (counters.counts, counters.n_repeats) == ({("image_header", "lobby"): 4}, 2)
    assert [one.append_ms for one in counters.newest] == [3, 2]
    assert all(one.letter.data is None and one.n_bytes == 7 for one in counters.newest)
