"""Event times: RFC 3339 text on the wire, integer milliseconds since 1970 everywhere else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from syncline.errors import ContractError

MIN_TIME_MS = 0
MAX_TIME_MS = 32_503_679_999_999
"""The last ms of the year 2999. Later times come from a broken clock or mixed-up units."""

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAKES = "RFC 3339 with a time zone, such as 2026-03-01T12:00:00.250Z"


def parse_time_ms(text: str) -> int:
    """Convert RFC 3339 text to integer ms since 1970, rounding down.

    Raises `ContractError("bad_time")` for any other text, for leap seconds, and outside the years 1970 to 2999.
    """
    if _RFC_3339.fullmatch(text) is None:
        raise ContractError("bad_time", f"got {text[:64]!r}, takes {_TAKES}")
    try:
        since = datetime.fromisoformat(text.upper()) - _EPOCH
    except (ValueError, OverflowError) as error:
        raise ContractError("bad_time", f"got {text!r}, which is not a time: {error}") from error
    time_ms = since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
    if not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
        raise ContractError("bad_time", f"got {text!r}, takes years 1970 to 2999")
    return time_ms


def format_time(time_ms: int) -> str:
    """Convert integer ms since 1970 to RFC 3339 with ms: `2026-03-01T12:00:00.250Z`.

    Raises `ContractError("bad_time")` outside the years 1970 to 2999.
    """
    if not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
        raise ContractError("bad_time", f"got {time_ms} ms since 1970, takes years 1970 to 2999")
    return (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds")[:-6] + "Z"
