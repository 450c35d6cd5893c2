"""streams/observe/table.py: the list of metrics, against its rules and against a list of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from streams.observe.table import TABLE, Kind, Metric

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"

LIST = """
consumer_lag{topic,partition} consumer_lag_seconds{topic,partition} high_watermark_age_seconds
reading_paused{topic,partition} records_total{modality} record_outcomes_total{outcome}
unjudged_total{modality} held_records{partition} held_bytes{partition} kept_records{partition}
held_records_limit{limit} held_bytes_limit{limit}
decode_seconds{modality}
event_time_lag_seconds{modality} watermark_lag_seconds{modality} join_pending_sets join_pending_records
join_pending_bytes join_wait_seconds suspect_pairs_total remembered_lanes{partition} remembered_ids{partition}
forgotten_total{kind} source_changes_total
decisions_total{kind,reason} redone_total void_batches_total claims_total{owner} snapshots_total recovery_seconds
batch_size batches_total{reason} batch_wait_seconds batch_seconds{stage} batch_failures_total inference_queue_depth
inference_inflight device_busy_seconds_total device_busy_ratio model_down_seconds
conversions_total{kind,outcome} conversion_seconds{kind} converter_batch_seconds{kind} converter_queue_depth{kind}
converter_busy_seconds_total{kind} converter_down_seconds{kind}
sets_total{outcome} late_total{modality} dropped_total{reason} dlq_total{reason} published_total{topic}
publish_seconds{topic} publish_errors_total{topic} e2e_latency_seconds pipeline_latency_seconds
live ready loop_stall_seconds heartbeat_age_seconds assignments_total assigned_partitions
build{version,contract,python} model{name,version}
"""
"""Dashboards and alerts of users name these: one that is renamed or gone breaks them silently."""


def written(metric: Metric) -> str:
    """As in the list."""
    return metric.name + ("{" + ",".join(metric.labels) + "}" if metric.labels else "")


def test_nothing_was_renamed_added_or_dropped_unseen() -> None:
    """Whoever changes the list says so here, in docs/operations.md and in the changelog."""
    assert [written(metric) for metric in TABLE] == LIST.split()


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_names_follow_prometheus(metric: Metric) -> None:
    """Lower case, base units, `_total` on counters and on nothing else, and a sentence that says what it is."""
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not re.search(r"_(ms|milliseconds|kb|mb|info|count|sum|bucket)$", metric.name)
    assert metric.help.endswith(".")
    assert len(metric.help) < 130
    if metric.kind == "histogram":
        assert metric.name.endswith("_seconds") or metric.name == "batch_size"


def test_labels_are_of_a_kind_that_has_few_values() -> None:
    """Never a stream, a source, an id or the text of an error."""
    of_series = {label for metric in TABLE if metric.kind != "info" for label in metric.labels}
    assert of_series == {"topic", "partition", "modality", "outcome", "limit", "kind", "reason", "owner", "stage"}


def test_the_documentation_lists_the_same() -> None:
    """docs/operations.md: every metric with its type and labels, in the same order."""
    lines = [line for line in OPERATIONS.read_text().splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    rows = [row for row in rows if row[1] in get_args(Kind)]
    documented = [(row[0].strip("`").removesuffix("_info"), row[1], row[2]) for row in rows]
    assert documented == [(metric.name, metric.kind, ", ".join(metric.labels)) for metric in TABLE]
    assert {len(row) for row in rows} == {5}
    assert all(row[3] for row in rows)
