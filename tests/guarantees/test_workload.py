"""The workload holds what it promises, and is the same for the same seed."""

from __future__ import annotations

from collections import Counter

from syncline.errors import ContractError
from syncline.wire.contract import MODALITIES
from syncline.wire.events import check_value, parse_headers
from syncline.wire.placement import check_placement
from tests.guarantees.media import BREAKS, Media
from tests.guarantees.workload import START_MS, workload

N_PARTITIONS = 3


def test_a_seed_is_a_workload() -> None:
    """The same seed gives the same records in the same order, another seed others."""
    assert workload(1, 500, N_PARTITIONS, 4) == workload(1, 500, N_PARTITIONS, 4)
    assert workload(1, 500, N_PARTITIONS, 4) != workload(2, 500, N_PARTITIONS, 4)


def test_everything_happens_that_can_happen() -> None:
    """Three thousand records have every kind of trouble in them, and are mostly without."""
    records = workload(5, 3_000, N_PARTITIONS, 8)
    assert len(records) == 3_000
    kinds = Counter(media.kind for media in records)
    assert {"ok", "out of order", "late", "duplicate", "unexpected"} <= kinds.keys()
    assert len(BREAKS.keys() & kinds.keys()) > 6
    assert kinds["ok"] > 2_400
    assert {media.topic for media in records} == {f"media.{modality}" for modality in MODALITIES}


def test_a_broken_record_is_refused_for_the_reason_that_it_names() -> None:
    """Each way of breaking one gives the dead-letter reason after which it is called; all others are taken."""
    reasons = {(media.kind, refused_for(media)) for media in workload(7, 20_000, N_PARTITIONS, 8)}
    broken = {(kind, reason) for kind, reason in reasons if kind in BREAKS}
    assert broken == {(name, name) for name in BREAKS}
    assert {reason for kind, reason in reasons if kind not in BREAKS} == {"", "too_large"}


def refused_for(media: Media) -> str:
    """Why a worker would refuse this record; "" if it would not."""
    try:
        event = parse_headers(media.topic, media.key, media.headers, START_MS)
        check_placement(media.key or b"", media.partition, N_PARTITIONS)
        check_value(event, media.value)
        return "clock" if event.time_ms > START_MS + 10**11 else ""
    except ContractError as error:
        return error.reason
