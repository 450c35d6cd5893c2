"""Laws of `syncline.wire.timestamps`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import ContractError
from syncline.wire.timestamps import MAX_TIME_MS, format_time, parse_time_ms
from tests.support.contract import times_ms


@given(times_ms)
def test_times_come_back(time_ms: int) -> None:
    """Every millisecond of the contract survives text."""
    assert parse_time_ms(format_time(time_ms)) == time_ms


@given(st.datetimes(datetime(1971, 1, 1), datetime(2999, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_time_zones_are_taken_into_account(moment: datetime) -> None:
    """Any offset in whole minutes names the same moment; finer digits than ms are cut off."""
    offset = moment.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        return
    exact_ms = (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000
    assert abs(parse_time_ms(moment.isoformat()) - exact_ms) < 1.001


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01.5z", 1_500),
        ("1970-01-01T00:00:00.123456789Z", 123),
        ("1970-01-01T08:00:00.001+08:00", 1),
        ("2999-12-31T23:59:59.999Z", MAX_TIME_MS),
    ],
)
def test_forms_of_rfc_3339(text: str, time_ms: int) -> None:
    """Small letters, offsets and 1 to 9 digits of a second are RFC 3339."""
    assert parse_time_ms(text) == time_ms


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-03-01", "2026-03-01T12:00Z", "2026-03-01T12:00:00", "2026-03-01 12:00:00Z", "20260301T120000Z",
        "2026-W09-7T12:00:00Z", "2026-13-01T12:00:00Z", "2026-02-30T12:00:00Z", "2026-03-01T24:00:01Z",
        "2026-03-01T23:59:60Z", "2026-03-01T12:00:00+25:00", "1969-12-31T23:59:59.999Z", "3000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00", "２026-03-01T12:00:00Z", "2026-03-01T12:00:00Z\n", "1772366400250",
    ],
)  # fmt: skip
def test_anything_else_is_bad_time(text: str) -> None:
    """What is no RFC 3339 time with a zone in the years 1970 to 2999 is refused."""
    with pytest.raises(ContractError) as caught:
        parse_time_ms(text)
    assert caught.value.reason == "bad_time"


@pytest.mark.parametrize("time_ms", [-1, MAX_TIME_MS + 1])
def test_times_out_of_range_are_not_written(time_ms: int) -> None:
    """What could not be read back is not written."""
    with pytest.raises(ContractError, match="bad_time"):
        format_time(time_ms)
