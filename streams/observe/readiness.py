"""The lag as reasons for readiness and as numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streams.partition.lag import Behind
from streams.settings import LagLimits
from syncline.wire.contract import MEDIA_TOPICS

STALE_AFTER_MS = 5_000
"""High watermarks come every second; older ones do not tell the lag."""


def lag_reasons(behind: Iterable[Behind], silent_ms: int, limits: LagLimits) -> Iterator[str]:
    """Yield why a worker is too far behind or does not know; `silent_ms`: age of the brokers' last answer."""
    known = [(one, one.lag) for one in behind if one.topic in MEDIA_TOPICS and one.lag is not None]
    unknown = [one for one in behind if one.lag is None]
    if silent_ms > STALE_AFTER_MS:
        yield f"the brokers have not said for {silent_ms / 1_000:.0f} s how far the topics reach: the lag is not known"
        return
    if unknown and any(limits):
        yield f"the lag of {len(unknown)} topic partitions is not known yet"
    most = max(known, key=lambda pair: pair[1].records, default=None)
    if most and 0 < limits.max_records < most[1].records:
        yield _too_far(most[0], f"{most[1].records} records", f"ready_max_lag_records={limits.max_records}")
    oldest = max(known, key=lambda pair: pair[1].age_ms, default=None)
    if oldest and 0 < limits.max_age_ms < oldest[1].age_ms:
        yield _too_far(oldest[0], f"{oldest[1].age_ms} ms", f"ready_max_lag_ms={limits.max_age_ms}")


def total_lag(behind: Iterable[Behind], silent_ms: int) -> dict[str, int] | None:
    """Return the unread media records of all topics and the age of the oldest; None if unknown."""
    lags = [one.lag for one in behind if one.topic in MEDIA_TOPICS]
    known = [lag for lag in lags if lag is not None]
    if silent_ms > STALE_AFTER_MS or len(known) < len(lags):
        return None
    return {"records": sum(lag.records for lag in known), "age_ms": max((lag.age_ms for lag in known), default=0)}


def _too_far(where: Behind, by: str, limit: str) -> str:
    return f"{where.topic}, partition {where.partition}: {by} behind, more than {limit}"
