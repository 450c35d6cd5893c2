"""Laws of `syncline.deadletter.retry`: what is sent again, and how it says so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.deadletter.retry import n_retries, place_of_retries, retry, why_not
from syncline.wire.events import MediaEvent, build_headers, parse_headers, unreadable_headers
from syncline.wire.placement import partition_for
from tests.support.contract import example_event, media_events
from tests.support.letters import letter

names = st.text(st.characters(codec="utf-8"), max_size=9)
headers = st.lists(st.tuples(names, st.binary(max_size=20)), max_size=5, unique_by=lambda header: header[0])


@given(media_events(), st.none() | st.binary(max_size=50), headers)
def test_a_retry_is_the_original_with_two_headers_more(
    event: MediaEvent, value: bytes | None, more: list[tuple[str, bytes]]
) -> None:
    """Its topic, key, bytes and all other headers in their order; the event says how often it was sent again."""
    event = msgspec.structs.replace(event, retries=0)
    given_headers = [*build_headers(event), *((f"x-{name}", data) for name, data in more)]
    made = retry(letter(topic=event.topic, key=event.stream.encode(), value=value, headers=given_headers).letter)
    assert (made.topic, made.key, made.value) == (event.topic, event.stream.encode(), value)
    assert made.headers[: len(given_headers)] == given_headers
    assert made.headers[len(given_headers) :] == [("ce_retries", b"1"), ("ce_retryof", f"{event.topic}/0/7".encode())]
    assert parse_headers(event.topic, made.key, made.headers, 0).retries == 1


def test_a_retry_of_a_retry_counts_on_and_names_the_newer_letter() -> None:
    """The two headers stand there once, however often a record is sent again."""
    first = retry(letter().letter)
    again = letter(offset=9, headers=first.headers)
    second = retry(again.letter)
    said = dict(second.headers)
    assert (n_retries(again.letter), said["ce_retries"], said["ce_retryof"]) == (1, b"2", b"media.image/0/9")
    assert len(second.headers) == len(first.headers)


@pytest.mark.parametrize(
    ("value", "expected"), [(b"9999", b"9999"), (b"x", b"1"), (b"", b"1"), (b"-3", b"1"), (b"7", b"8")]
)
def test_a_number_that_is_none_counts_as_none(value: bytes, expected: bytes) -> None:
    """Anybody may write the header; the number has an end."""
    one = letter(headers=[*build_headers(example_event()), ("ce_retries", value)])
    assert dict(retry(one.letter).headers)["ce_retries"] == expected


def test_event_time_is_kept_where_it_was_the_records_own_timestamp() -> None:
    """The retry gets a new timestamp, so the old one becomes its ce_time; a record that had no time gets none."""
    without = [(name, value) for name, value in build_headers(example_event()) if name != "ce_time"]
    made = retry(letter(headers=without).letter)
    assert parse_headers("media.image", made.key, made.headers, 5).time_ms == 1_772_366_400_300
    assert "ce_time" not in dict(retry(letter(headers=without, reason="bad_time").letter).headers)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"headers": [("x", bytes(20_000))]}, "not all of the original is here (headers)"),
        ({"key": None, "value": None, "headers": unreadable_headers("broken")}, "(headers, key, value)"),
        ({"key": None}, "no key"),
        ({"key": b""}, "no key"),
        ({"topic": "results.fused"}, "no media topic"),
        ({}, ""),
        ({"value": None}, ""),
    ],
)
def test_what_is_not_whole_or_belongs_nowhere_is_not_sent(changes: dict[str, Any], why: str) -> None:
    """And why is said; a null value is a whole one."""
    found = why_not(letter(**changes).letter)
    assert why in found
    assert bool(found) == bool(why)


def test_a_misrouted_letters_retries_are_where_its_key_belongs() -> None:
    """Not in the partition in which the original was."""
    one = letter(partition=(partition_for(b"lobby", 4) + 1) % 4, reason="misrouted")
    assert place_of_retries(one.letter, 4) == ("media.image", partition_for(b"lobby", 4))
