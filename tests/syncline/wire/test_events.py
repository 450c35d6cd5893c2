"""Laws of `syncline.wire.events` and `syncline.wire.events`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given

from syncline.errors import ContractError
from syncline.wire import contract
from syncline.wire.events import MediaEvent, build_headers, check_value, parse_headers
from tests.support.contract import TRACEPARENT, example_event, media_events

TIMESTAMP_MS = 5
PAGE = (Path(__file__).parents[3] / "docs" / "contract.md").read_text(encoding="utf-8")
LISTED = re.findall(r"`([\w-]+)`", " ".join(re.findall(r"^\| (`.*`) \| (?:required|optional) \|", PAGE, re.MULTILINE)))
TRACE = {"traceparent", "tracestate"}


def parse(headers: dict[str, bytes | None], *, key: bytes | None = b"lobby", topic: str = "media.image") -> MediaEvent:
    return parse_headers(topic, key, list(headers.items()), TIMESTAMP_MS)


@given(media_events())
def test_an_event_comes_back_from_its_headers(event: MediaEvent) -> None:
    """parse_headers undoes build_headers for every event of the contract."""
    assert parse_headers(event.topic, event.stream.encode(), build_headers(event), None) == event


def changed(name: str, value: bytes | None) -> dict[str, bytes | None]:
    return {**dict(build_headers(example_event())), name: value}


def without(name: str) -> dict[str, bytes | None]:
    return {key: value for key, value in build_headers(example_event()) if key != name}


BAD = [
    (changed("ce_subject", b"hall"), "key_mismatch"),
    (changed("ce_subject", b"Lobby"), "key_mismatch"),
    (changed("content-type", b"application/cloudevents+json"), "structured_mode"),
    (changed("content-type", b"Application/CloudEvents; charset=utf-8"), "structured_mode"),
    *[(without(name), "missing_header") for name in ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject")],
    (without("content-type"), "missing_header"),
    (changed("content-type", b""), "missing_header"),
    (changed("ce_id", b""), "missing_header"),
    (changed("ce_id", None), "bad_header"),
    (changed("content-type", None), "bad_header"),
    (changed("ce_type", None), "bad_header"),
    (changed("ce_id", b"\xff"), "bad_header"),
    (changed("ce_id", b"a" * 257), "bad_header"),
    (changed("ce_source", b"a" * 1025), "bad_header"),
    (changed("ce_id", b"a\x1b[2J"), "bad_header"),
    (changed("ce_id", "a\u0085".encode()), "bad_header"),
    (changed("ce_specversion", b"0.3"), "bad_specversion"),
    (changed("ce_type", b"syncline.media.image.v2"), "unknown_type"),
    (changed("ce_type", b"syncline.media.text.v1"), "wrong_topic"),
    (changed("ce_time", b"yesterday"), "bad_time"),
    (changed("ce_time", b"2026-03-01T12:00:00"), "bad_time"),
    (changed("ce_durationms", b"-1"), "bad_duration"),
    (changed("ce_durationms", b"1.5"), "bad_duration"),
    (changed("ce_durationms", b"86400001"), "bad_duration"),
    (changed("ce_durationms", None), "bad_duration"),
    (changed("ce_durationms", "٣".encode()), "bad_duration"),
    (changed("ce_lane", b"left,right"), "bad_lane"),
    (changed("ce_lane", b"l" * 65), "bad_lane"),
    (changed("ce_lane", b"audio"), "bad_lane"),
    (changed("ce_language", b"english language"), "bad_language"),
    (changed("ce_language", b"e"), "bad_language"),
    (changed("content-type", b"image/gif"), "bad_content_type"),
    (changed("content-type", b"audio/wav"), "bad_content_type"),
    (changed("content-type", b"\xff\xfe"), "bad_content_type"),
]


@pytest.mark.parametrize(("headers", "reason"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_each_wrong_header_has_its_reason(headers: dict[str, bytes | None], reason: str) -> None:
    """One mutation of a good record, one documented reason."""
    assert parse(dict(build_headers(example_event()))) == example_event()
    with pytest.raises(ContractError) as caught:
        parse(headers)
    assert caught.value.reason == reason
    assert reason in contract.REASONS


@pytest.mark.parametrize("key", [None, b""])
def test_a_record_needs_a_key(key: bytes | None) -> None:
    """Without a key the stream's place is unknown."""
    with pytest.raises(ContractError, match="no_key"):
        parse(dict(build_headers(example_event())), key=key)


def test_a_record_needs_headers() -> None:
    """A bare record is told where the contract is."""
    with pytest.raises(ContractError, match="missing_header"):
        parse_headers("media.image", b"lobby", None, 0)


def test_a_header_given_twice_is_refused() -> None:
    """Which of two ids counts would depend on the client."""
    with pytest.raises(ContractError, match="bad_header"):
        parse_headers("media.image", b"lobby", [*build_headers(example_event()), ("ce_id", b"other")], 0)


@pytest.mark.parametrize("name", sorted({*LISTED, "ce_dataref"} - TRACE))
def test_each_header_that_says_what_the_event_is_is_given_once(name: str) -> None:
    """Even twice the same."""
    headers = [*build_headers(example_event()), (name, b"1"), (name, b"1")]
    with pytest.raises(ContractError, match=rf"bad_header: {name} is given twice"):
        parse_headers("media.image", b"lobby", headers, 0)


@pytest.mark.parametrize("name", ["x-b3-traceid", "baggage", "", "ce_comexampleextension"])
def test_other_headers_may_be_given_as_often_as_one_likes(name: str) -> None:
    """A tracing agent that appends its own to those that are passed on sends no feed to the dead letters."""
    headers = [(name, b"?"), *build_headers(example_event()), (name, b"?"), (name, None), (name, b"?")]
    assert parse_headers("media.image", b"lobby", headers, 0) == example_event()


@pytest.mark.parametrize("more", [[("x", b"1")] * 240, [("x", b"1" * 65_000)], [("语" * 21_500, None)]])
def test_as_many_headers_as_are_taken_are_taken(more: list[tuple[str, bytes | None]]) -> None:
    """256, and 64 KiB of names and values, those included that nobody knows."""
    headers = [*build_headers(example_event()), *more]
    most = [*headers, *[("", b"")] * (contract.MAX_HEADERS - len(headers))]
    room = contract.MAX_HEADER_BYTES - sum(len(name.encode()) + len(value or b"") for name, value in most)
    assert parse_headers("media.image", b"lobby", [*most[:-1], ("", b"x" * room)], 0) == example_event()
    for too_many in ([*most, ("", b"")], [*most[:-1], ("", b"x" * (room + 1))]):
        with pytest.raises(ContractError, match="headers_too_large"):
            parse_headers("media.image", b"lobby", too_many, 0)


def test_the_last_of_two_traceparents_counts() -> None:
    """Tracing libraries append theirs to headers that are passed on."""
    newer = TRACEPARENT.replace("0af7", "1bf7")
    event = parse_headers(
        "media.image", b"lobby", [*build_headers(example_event()), ("traceparent", newer.encode())], 0
    )
    assert event.traceparent == newer


@pytest.mark.parametrize("value", [b"rubbish", b"", None, TRACEPARENT.upper().encode()])
def test_a_bad_trace_never_costs_the_event(value: bytes | None) -> None:
    """A traceparent that cannot be read is dropped."""
    assert parse(changed("traceparent", value)).traceparent == ""


@pytest.mark.parametrize("value", [b"", None, b"0", b"-1", b"x", b"10000", b"1.5", "٣".encode()])
def test_a_bad_number_of_retries_never_costs_the_event(value: bytes | None) -> None:
    """It says how the record came here, not what it is; it counts as none."""
    headers = [*build_headers(example_event()), ("ce_retries", value)]
    assert parse_headers("media.image", b"lobby", headers, 0) == example_event()


def test_time_falls_back_to_the_records_timestamp() -> None:
    """Without ce_time the record's timestamp is event time; without either there is none."""
    assert parse(without("ce_time")).time_ms == TIMESTAMP_MS
    for timestamp_ms in (None, -1):
        with pytest.raises(ContractError, match="bad_time"):
            parse_headers("media.image", b"lobby", list(without("ce_time").items()), timestamp_ms)


def test_the_lane_defaults_to_the_modality() -> None:
    """One source of a modality needs no lane."""
    assert parse(without("ce_lane")).lane == "image"
    assert MediaEvent("s", "audio", "urn:a", "1", 0, "audio/wav").lane == "audio"


@pytest.mark.parametrize("spelt", [b"text/plain", b"TEXT/PLAIN; charset=UTF-8", b'text/plain;charset="utf-8"'])
def test_content_types_are_normalised(spelt: bytes) -> None:
    """Case, blanks and quotes of a content type do not matter."""
    event = example_event(modality="text", content_type="text/plain; charset=utf-8")
    headers = {**dict(build_headers(event)), "content-type": spelt}
    assert parse(headers, topic="media.text").content_type == "text/plain; charset=utf-8"


def test_unknown_headers_are_ignored() -> None:
    """Other people's headers do no harm."""
    assert parse(changed("x-firmware", b"\xff\x00")) == example_event()


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "null_value"), (b"", "empty_value"), (b"12345", "too_large")], ids=str
)
def test_each_wrong_value_has_its_reason(value: bytes | None, reason: str) -> None:
    """A value is the file itself, neither nothing nor too much."""
    assert check_value(example_event(), b"1234", 4) == b"1234"
    with pytest.raises(ContractError) as caught:
        check_value(example_event(), value, 4)
    assert caught.value.reason == reason
    assert reason in contract.REASONS


def test_a_payload_by_reference_is_refused_but_its_time_is_known() -> None:
    """ce_dataref parses, so that its lane's watermark moves, and check_value refuses it."""
    event = parse(changed("ce_dataref", b"https://store.example/1"))
    assert event.time_ms == example_event().time_ms
    with pytest.raises(ContractError) as caught:
        check_value(event, None)
    assert caught.value.reason == "dataref_refused"
