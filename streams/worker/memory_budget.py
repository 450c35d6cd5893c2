"""A worker's memory budget by its settings, shared among its partition numbers."""

from __future__ import annotations

from streams.decisions.backpressure import limits_of_share
from streams.partition.decode import HELD_BYTES
from streams.partition.decode_queue import MAX_DECODING_BYTES
from streams.settings import WorkerSettings
from syncline.errors import SettingsError
from syncline.wire.contract import MEDIA_TOPICS

DECODED_FACTOR = 2
"""Memory of an event as a multiple of its value: the value, and at most as much decoded."""
LANE_BYTES = 800
"""Memory of a silent lane; measured 550 with names of 30 characters, plus room for longer names."""
ID_BYTES = 400
"""Memory of an id beside a lane's newest: 130 in order, 350 with `out_of_order_ms`."""
FETCH_FACTOR = 2
"""Memory of fetched data as a multiple of its size: as received, and unpacked."""


def check_shares(settings: WorkerSettings, n_partitions: int) -> None:
    """Raise `SettingsError` if a worker that owns all `n_partitions` could not hold a set of the largest events.

    The last worker of a group owns all partition numbers, so that must fit.
    """
    join = settings.join
    n_lanes = max(len(lanes) for lanes in (join.lanes, *join.lanes_by_stream.values()))
    largest = HELD_BYTES + DECODED_FACTOR * settings.max_event_bytes
    share = limits_of_share(join, n_partitions)
    why = f"one worker may come to own all {n_partitions} partitions, and the share of each"
    if share.n_bytes * join.hard_limit_factor < n_lanes * largest:
        least = -(-n_lanes * largest // join.hard_limit_factor) * n_partitions
        what = f"one event of max_event_bytes={settings.max_event_bytes}, decoded, in each of {n_lanes} lanes"
        raise SettingsError("max_held_bytes", join.max_held_bytes, f"at least {least}: {why} must hold {what}")
    if join.max_held_events // n_partitions * join.hard_limit_factor < n_lanes:
        least = -(-n_lanes // join.hard_limit_factor) * n_partitions
        what = f"one event in each of {n_lanes} lanes"
        raise SettingsError("max_held_events", join.max_held_events, f"at least {least}: {why} must hold {what}")


def worst_case_bytes(settings: WorkerSettings, n_partitions: int) -> int:
    """Return the memory that a worker with all `n_partitions` may need beside its model (docs/operations.md)."""
    join, n_topic_partitions = settings.join, n_partitions * len(MEDIA_TOPICS)
    held = join.max_held_bytes * join.hard_limit_factor
    decoding = min(join.max_held_bytes, MAX_DECODING_BYTES * n_topic_partitions)
    fetched = FETCH_FACTOR * settings.max_fetch_bytes * n_topic_partitions
    n_lanes = max(len(lanes) for lanes in (join.lanes, *join.lanes_by_stream.values()))
    remembered = n_partitions * (join.max_streams * n_lanes * LANE_BYTES + join.max_remembered_ids * ID_BYTES)
    return held + decoding + fetched + remembered
