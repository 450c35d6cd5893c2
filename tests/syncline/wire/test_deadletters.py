"""Laws of `syncline.wire.deadletters`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import ContractError
from syncline.wire import contract
from syncline.wire.deadletters import (
    decode_dead_letter,
    encode_dead_letter,
    encode_unfused,
    original_headers,
    shrink_dead_letter,
)
from syncline.wire.events import build_headers, unreadable_headers
from syncline.wire.results import OutgoingRecord, decode_unfused
from syncline.wire.timestamps import MAX_TIME_MS
from tests.support.contract import example_event, example_unfused


def n_bytes_of(headers: list[tuple[str, bytes]]) -> int:
    """What they come to as a dead letter's."""
    return sum(len(f"orig.{name}".encode()) + len(data) for name, data in headers)


headers = st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.none() | st.binary()), max_size=5)


def dead_letter(**changes: Any) -> OutgoingRecord:
    fields: dict[str, Any] = {
        "reason": "bad_time", "detail": "got 'x'", "topic": "media.image", "partition": 2, "offset": 7, "key": b"lobby",
        "value": b"\xff\xd8", "headers": build_headers(example_event()), "timestamp_ms": 5,
    }  # fmt: skip
    return encode_dead_letter(**(fields | changes))


@given(st.none() | st.binary(), st.none() | st.binary(), headers, st.text(max_size=2000), st.integers(-(2**63), 2**63))
def test_any_record_becomes_a_dead_letter_and_back(
    key: bytes | None, value: bytes | None, given_headers: list[tuple[str, bytes | None]], detail: str, time_ms: int
) -> None:
    """Whatever a record holds, its key, bytes and headers come back; a null header comes back empty."""
    record = dead_letter(key=key, value=value, headers=given_headers, detail=detail, timestamp_ms=time_ms)
    letter = decode_dead_letter(record.key, record.value, record.headers)
    assert (letter.key, letter.data) == (key, value)
    assert letter.headers == tuple((name, data or b"") for name, data in given_headers)
    assert (letter.reason, letter.topic, letter.partition, letter.offset) == ("bad_time", "media.image", 2, 7)
    assert letter.id == "media.image/2/7"
    assert letter.timestamp_ms == min(max(time_ms, 0), MAX_TIME_MS)
    assert letter.cut == (() if n_bytes_of(letter.headers) <= contract.MAX_ORIGINAL_HEADER_BYTES else ("headers",))


@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=50), st.binary()), max_size=8), st.integers(0, 6)
)
def test_original_headers_are_cut_to_16_kib(small: list[tuple[str, bytes]], n_large: int) -> None:
    """However many headers a record has, at most 16 KiB of names and values are kept, in their order; said if cut."""
    given_headers = small + [("large", bytes(6_000))] * n_large
    kept = original_headers(given_headers)
    is_cut = ("ce_origincut", b"headers") in kept
    assert is_cut == (n_bytes_of(given_headers) > contract.MAX_ORIGINAL_HEADER_BYTES)
    kept = kept[is_cut:]
    assert sum(len(name.encode()) + len(data) for name, data in kept) <= contract.MAX_ORIGINAL_HEADER_BYTES
    for (name, data), (kept_name, kept_data) in zip(given_headers, kept, strict=False):
        assert kept_name == contract.ORIGINAL + name
        assert data.startswith(kept_data)


def test_a_dead_letter_never_takes_over_what_the_original_says_of_itself() -> None:
    """Its content type is plain bytes and its own headers stand apart from the original's."""
    record = dead_letter(headers=[("content-type", b"application/cloudevents+json"), ("ce_id", b"theirs")])
    own = [(name, data) for name, data in record.headers if not name.startswith("orig.")]
    assert len(dict(own)) == len(own)
    assert dict(own)["content-type"] == b"application/octet-stream"
    assert dict(own)["ce_id"] == b"media.image/2/7"


def test_a_failed_set_is_named() -> None:
    """Members of a set that could not be carried out carry its id."""
    record = dead_letter(set_id="abc")
    assert decode_dead_letter(record.key, record.value, record.headers).set_id == "abc"


def test_an_unfused_record_says_why_and_where_in_headers_and_value() -> None:
    """Consumers may filter by headers without reading the value."""
    record = encode_unfused(example_unfused(), build_headers(example_event()))
    assert decode_unfused(record.value) == example_unfused()
    found = dict(record.headers)
    assert (found["ce_reason"], found["ce_latebyms"], found["ce_id"]) == (b"late", b"100", b"media.text/1/9")
    assert (found["ce_origintopic"], found["ce_originpartition"], found["ce_originoffset"]) == (
        b"media.text",
        b"1",
        b"9",
    )
    assert found["orig.ce_id"] == b"frame-1"


def test_of_a_record_that_cannot_be_read_nothing_is_claimed() -> None:
    """Neither that its value was null nor that it had no headers: nobody knows."""
    record = dead_letter(reason="unreadable", key=None, value=None, headers=unreadable_headers("broken gzip"))
    letter = decode_dead_letter(record.key, record.value, record.headers)
    assert (letter.data, letter.headers, letter.cut) == (None, (), ("headers", "key", "value"))
    assert "ce_originnull" not in dict(record.headers)


def test_a_dead_letter_that_its_topic_does_not_take_goes_without_what_is_too_large() -> None:
    """First the value goes, then the key, and the letter says so; one without both cannot be made smaller."""
    large = dead_letter(headers=[("large", bytes(20_000))])
    once = shrink_dead_letter(large)
    assert once is not None
    letter = decode_dead_letter(once.key, once.value, once.headers)
    assert (letter.key, letter.data, letter.cut) == (b"lobby", None, ("headers", "value"))
    assert letter.headers == decode_dead_letter(large.key, large.value, large.headers).headers
    twice = shrink_dead_letter(once)
    assert twice is not None
    letter = decode_dead_letter(twice.key, twice.value, twice.headers)
    assert (letter.key, letter.data, letter.cut) == (None, None, ("headers", "key", "value"))
    assert shrink_dead_letter(twice) is None


def test_what_is_no_dead_letter_is_refused() -> None:
    """A record without the headers of a dead letter raises bad_result."""
    whole = dead_letter().headers
    for broken in (
        [],
        *([*whole, (name, b"x")] for name in ("ce_originoffset", "ce_time")),
        [*whole, ("ce_reason", None)],
    ):
        with pytest.raises(ContractError, match="bad_result"):
            decode_dead_letter(None, b"", broken)
