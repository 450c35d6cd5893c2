"""streams/partition/decode.py: from raw records to what the owner takes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from models.interface import Prepared
from streams.decisions.entries import FormerPlacement
from streams.join.settings import JoinSettings
from streams.partition.decode import Decoder
from streams.payload import HELD_BYTES, event_bytes, raw_bytes
from syncline.errors import MediaError
from syncline.wire.contract import MAX_HEADER_BYTES
from syncline.wire.events import build_headers
from syncline.wire.placement import partition_for
from tests.support.moments import START_MS
from tests.support.raw import event, raw

N_PARTITIONS = 4
HERE = partition_for(b"s", N_PARTITIONS)


def decoder(prepare: object = None, max_event_bytes: int = 100, **settings: object) -> Decoder:
    """A decoder whose model takes everything, unless given another `prepare`."""
    take = prepare or (lambda modality, data, content_type, language: Prepared(data, n_bytes=7))
    return Decoder(JoinSettings(**settings), N_PARTITIONS, take, max_event_bytes)  # type: ignore[arg-type]


def test_a_good_record_has_an_item_and_its_prepared_media() -> None:
    """The item has the record's place and times, the payload what is needed later."""
    one = raw(event(duration_ms=40), offset=9)
    (record,) = decoder().decode("media.image", HERE, [one])
    assert record.rejected is None
    assert record.item is not None
    assert (record.item.stream, record.item.lane, record.item.topic, record.item.offset) == (
        "s",
        "image",
        "media.image",
        9,
    )
    assert (record.item.time_ms, record.item.end_ms, record.item.append_ms) == (START_MS, START_MS + 40, START_MS + 5)
    assert record.payload.prepared.value == b"x"
    assert record.n_bytes == HELD_BYTES + raw_bytes(one) + event_bytes(event()) + 7


def test_offset_ms_moves_the_lane_and_not_the_event() -> None:
    """Ids are made of the event's own time, so that a setting does not change them."""
    (record,) = decoder(offset_ms={"image": -120}).decode("media.image", HERE, [raw(event(duration_ms=40))])
    assert record.item is not None
    assert (record.item.time_ms, record.item.end_ms) == (START_MS - 120, START_MS - 80)
    assert record.payload.event.time_ms == START_MS


@pytest.mark.parametrize(
    ("reason", "record"),
    [
        ("no_key", raw(key=None)),
        ("key_mismatch", raw(key=b"other")),
        ("missing_header", raw(headers=[])),
        ("clock", raw(event(time_ms=START_MS + 60_006))),
    ],
)
def test_what_cannot_be_placed_in_time_or_stream_has_no_item(reason: str, record: object) -> None:
    """It moves no watermark."""
    (decoded,) = decoder().decode("media.image", HERE, [record])
    assert decoded.item is None
    assert decoded.rejected is not None
    assert decoded.rejected.reason == reason


def test_a_record_of_before_the_topics_grew_is_in_its_place_by_the_number_of_then() -> None:
    """Below the boundary of its topic; at it and above, by the present number alone."""
    before = next(n for n in range(1, 99) if partition_for(b"s", n) != HERE)
    there = partition_for(b"s", before)
    placed = [FormerPlacement(before, {"media.image": 5})]
    records = [raw(offset=4), raw(offset=5)]
    below, at = decoder().decode("media.image", there, records, placed=placed)
    assert (below.rejected, at.rejected and at.rejected.reason) == (None, "misrouted")
    (new,) = decoder().decode("media.image", HERE, [raw(offset=4)], placed)
    assert new.rejected is None
    (other,) = decoder().decode("media.text", there, [raw(event("text"), offset=4)], placed)
    assert other.rejected is not None


def test_an_item_as_far_ahead_as_is_taken_is_taken() -> None:
    """`max_ahead_ms` is counted from the record's append time, and is itself taken."""
    (decoded,) = decoder(max_ahead_ms=1_000).decode("media.image", HERE, [raw(event(time_ms=START_MS + 1_005))])
    assert decoded.rejected is None


@pytest.mark.parametrize(
    ("reason", "value"), [("null_value", None), ("empty_value", b""), ("too_large", b"x" * 101), ("odd", b"odd")]
)
def test_broken_media_keep_their_item(reason: str, value: bytes | None) -> None:
    """Their headers are valid, so they move their lane's watermark."""

    def prepare(modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
        raise MediaError("odd", "not to my taste")

    (decoded,) = decoder(prepare).decode("media.image", HERE, [raw(value=value)])
    assert decoded.item is not None
    assert decoded.rejected is not None
    assert decoded.rejected.reason == reason


def test_a_model_that_breaks_on_one_record_rejects_that_record(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it raises: the next worker would meet the same bytes, so ending this one mends nothing."""

    def prepare(modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
        if data == b"bad":
            raise ZeroDivisionError("inside")
        return Prepared(None)

    good, bad = decoder(prepare).decode("media.image", HERE, [raw(offset=0), raw(offset=1, value=b"bad")])
    assert good.rejected is None
    assert bad.rejected is not None
    assert (bad.rejected.reason, bad.item is not None) == ("model_failed", True)
    assert "ZeroDivisionError" in caplog.text


def test_a_second_source_on_a_lane_is_logged_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """With both sources and what to do; the records are taken all the same."""
    one = decoder()
    with caplog.at_level(logging.WARNING):
        records = one.decode(
            "media.image", HERE, [raw(event(source=f"urn:{name}"), offset=n) for n, name in enumerate("aba")]
        )
    assert all(record.rejected is None for record in records)
    assert caplog.text.count("a record of urn:b came after one of urn:a") == 1
    assert caplog.text.count("give each a lane") == 1
    assert one.sources.n_changes == 2


def test_the_first_misrouted_record_is_logged_with_what_mends_it(caplog: pytest.LogCaptureFixture) -> None:
    """Once, however many there are."""
    with caplog.at_level(logging.WARNING):
        decoded = decoder().decode("media.image", (HERE + 1) % N_PARTITIONS, [raw(offset=0), raw(offset=1)])
    assert [record.rejected and record.rejected.reason for record in decoded] == ["misrouted", "misrouted"]
    assert caplog.text.count("partitioner=murmur2_random") == 1


@pytest.mark.parametrize(
    ("record", "partition"),
    [
        (raw(value=b"x" * 101), HERE),
        (raw(event(time_ms=START_MS + 60_006)), HERE),
        (raw(), HERE + 1),
        (raw(headers=[*build_headers(event()), ("x", b"x" * MAX_HEADER_BYTES)]), HERE),
    ],
    ids=["too large", "far ahead", "elsewhere", "headers too large"],
)
def test_what_the_log_has_taken_for_good_no_setting_refuses(record: Any, partition: int) -> None:
    """It was decided by other settings; a set that failed now may be out already."""
    for accepted in (frozenset[int](), frozenset({record.offset})):
        (found,) = decoder().decode("media.image", partition, [record], accepted)
        assert (found.rejected is None) == bool(accepted)
