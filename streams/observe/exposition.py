"""A worker's metrics in Prometheus' text format, read on request; streams/observe/table.py lists them."""

from __future__ import annotations

import math
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from processors.limits import REASONS as MEDIA_REASONS
from streams.decisions.records import RecordOutcome
from streams.histogram import Histogram
from streams.inference.batch_stats import BatchStats, FlushReason
from streams.join.clocks import Forgotten
from streams.join.state import n_pending_sets, slowest_watermarks
from streams.observe.readiness import STALE_AFTER_MS
from streams.observe.table import PREFIX, TABLE, Metric
from streams.observe.worker_state import WorkerState
from syncline import version
from syncline.wire.contract import ALL_TOPICS, MEDIA_TOPICS, REASONS, UNFUSED_REASONS, VERSION
from syncline.wire.results import SetReason

OTHER = "other"
"""The label for values that are not known in advance."""
_REASONS = {*REASONS, *MEDIA_REASONS, *UNFUSED_REASONS, *get_args(SetReason), "shared"}
_MILLI = 1_000


class MetricReading(NamedTuple):
    """One value of one metric (named without prefix). Histograms are in ms if the metric is in seconds."""

    name: str
    labels: tuple[str, ...]
    value: float | Histogram | Mapping[str, str]


def read_all(state: WorkerState) -> Iterator[MetricReading]:
    """Yield all present values."""
    for read in (_reading, _held, _join, _decisions, _model, _conversions, _outcomes, _output, _worker):
        yield from read(state)


def bounded(reason: str) -> str:
    """Return a reason as a label; an unknown one, e.g. from a newer version's log, is `other`."""
    return reason if reason in _REASONS else OTHER


def _reading(state: WorkerState) -> Iterator[MetricReading]:
    watch = state.lag_watch
    silent_ms = watch.silent_ms if watch is not None else None
    if silent_ms is not None:
        yield MetricReading("high_watermark_age_seconds", (), silent_ms / _MILLI)
    for topic, partition, lag in sorted(state.manager.lags()):
        if lag is not None and silent_ms is not None and silent_ms <= STALE_AFTER_MS:
            labels = (topic, str(partition))
            yield MetricReading("consumer_lag", labels, lag.records)
            yield MetricReading("consumer_lag_seconds", labels, lag.age_ms / _MILLI)
    for partition, driver in state.manager.drivers.items():
        for topic in MEDIA_TOPICS:
            yield MetricReading("reading_paused", (topic, str(partition)), topic not in driver.reads)
    if state.context is not None:
        for topic, took_ms in state.context.decoder.took_ms.items():
            yield MetricReading("decode_seconds", (_modality(topic),), took_ms)


def _held(state: WorkerState) -> Iterator[MetricReading]:
    join = state.settings.join
    for limit, factor in (("soft", 1), ("hard", join.hard_limit_factor)):
        yield MetricReading("held_records_limit", (limit,), join.max_held_events * factor)
        yield MetricReading("held_bytes_limit", (limit,), join.max_held_bytes * factor)
    for partition, driver in state.manager.drivers.items():
        held = driver.owner.in_flight.held
        yield MetricReading("held_records", (str(partition),), held.events)
        yield MetricReading("held_bytes", (str(partition),), held.n_bytes)
        yield MetricReading("kept_records", (str(partition),), driver.owner.in_flight.n_kept)


def _join(state: WorkerState) -> Iterator[MetricReading]:
    meter, owners = state.meter, [driver.owner for driver in state.manager.drivers.values()]
    joins = [owner.join for owner in owners if owner.join is not None]
    streams = [stream for join in joins for stream in join.streams]
    wall_ms = time.time() * 1_000
    for topic, lag_ms in meter.event_lag_ms.items():
        yield MetricReading("event_time_lag_seconds", (_modality(topic),), lag_ms / _MILLI)
    for topic, watermark_ms in slowest_watermarks(streams).items():
        yield MetricReading("watermark_lag_seconds", (_modality(topic),), (wall_ms - watermark_ms) / _MILLI)
    yield MetricReading("join_pending_sets", (), n_pending_sets(streams))
    yield MetricReading("join_pending_records", (), sum(join.n_undecided for join in joins))
    yield MetricReading(
        "join_pending_bytes",
        (),
        sum(owner.in_flight.held.n_bytes - owner.in_flight.on_its_way.n_bytes for owner in owners),
    )
    yield MetricReading("join_wait_seconds", (), meter.counters.waits_ms)
    for partition, driver in state.manager.drivers.items():
        if (join := driver.owner.join) is not None:
            yield MetricReading("remembered_lanes", (str(partition),), len(join.clocks))
            yield MetricReading("remembered_ids", (str(partition),), join.clocks.n_more_ids)
    for kind in get_args(Forgotten):
        yield MetricReading("forgotten_total", (kind,), meter.counters.forgotten[kind])
    n_suspect = meter.counters.n_suspect_pairs + sum(join.n_suspect_pairs for join in joins)
    yield MetricReading("suspect_pairs_total", (), n_suspect)
    n_changes = state.context.decoder.sources.n_changes if state.context is not None else 0
    yield MetricReading("source_changes_total", (), n_changes)


def _decisions(state: WorkerState) -> Iterator[MetricReading]:
    counters = state.meter.counters
    yield from _sums(
        "decisions_total", (((kind, bounded(reason)), n) for (kind, reason), n in counters.decisions.items())
    )
    yield MetricReading("redone_total", (), counters.n_redone)
    yield MetricReading("void_batches_total", (), counters.n_void_batches)
    yield MetricReading("claims_total", ("own",), counters.n_claims)
    yield MetricReading("claims_total", ("lost",), counters.n_lost_claims)
    yield MetricReading("snapshots_total", (), counters.n_snapshots)
    yield MetricReading("recovery_seconds", (), state.meter.recovery_ms)


def _model(state: WorkerState) -> Iterator[MetricReading]:
    runner = state.runner
    if runner is None:
        return
    stats = runner.stats
    yield MetricReading("batch_size", (), _sizes(stats, state.settings.batch_max_items))
    for reason in get_args(FlushReason):
        yield MetricReading("batches_total", (reason,), stats.reasons[reason])
    yield MetricReading("batch_wait_seconds", (), stats.waits_ms)
    yield MetricReading("batch_seconds", ("forward",), stats.runs_ms)
    yield MetricReading("batch_failures_total", (), stats.n_failed_runs)
    yield MetricReading("inference_queue_depth", (), runner.n_queued)
    yield MetricReading("inference_inflight", (), runner.n_running)
    yield MetricReading("device_busy_seconds_total", (), runner.busy_s)
    yield MetricReading("device_busy_ratio", (), state.busy.share)
    yield MetricReading("model_down_seconds", (), runner.health().down_s)


def _conversions(state: WorkerState) -> Iterator[MetricReading]:
    conversions = state.conversions
    for runner in conversions.runners:
        kind = runner.kind
        for outcome in ("made", "refused"):
            yield MetricReading("conversions_total", (kind, outcome), conversions.made[kind, outcome])
        yield MetricReading("conversion_seconds", (kind,), conversions.took_ms[kind])
        yield MetricReading("converter_batch_seconds", (kind,), runner.stats.runs_ms)
        yield MetricReading("converter_queue_depth", (kind,), runner.n_queued)
        yield MetricReading("converter_busy_seconds_total", (kind,), runner.busy_s)
        yield MetricReading("converter_down_seconds", (kind,), runner.health().down_s)


def _outcomes(state: WorkerState) -> Iterator[MetricReading]:
    counters = state.meter.counters
    for topic in MEDIA_TOPICS:
        yield MetricReading("records_total", (_modality(topic),), counters.taken[topic])
        yield MetricReading("unjudged_total", (_modality(topic),), state.manager.n_unjudged[topic])
    for outcome in get_args(RecordOutcome):
        yield MetricReading("record_outcomes_total", (outcome,), counters.let_go[outcome])
    for outcome in ("complete", "partial", "failed"):
        yield MetricReading("sets_total", (outcome,), counters.sets[outcome])
    for topic in MEDIA_TOPICS:
        yield MetricReading("late_total", (_modality(topic),), counters.unfused[topic, "late"])
    dropped = [((reason,), 0) for reason in UNFUSED_REASONS]
    dropped += [((bounded(reason),), n) for (_, reason), n in counters.unfused.items()]
    yield from _sums("dropped_total", dropped)
    yield from _sums("dlq_total", (((bounded(reason),), n) for reason, n in counters.dead_letters.items()))


def _output(state: WorkerState) -> Iterator[MetricReading]:
    yield MetricReading("e2e_latency_seconds", (), state.meter.e2e_ms)
    yield MetricReading("pipeline_latency_seconds", (), state.meter.pipeline_ms)
    if state.context is None:
        return
    stats, prefix = state.context.producer.stats, state.settings.topic_prefix
    for topic in ALL_TOPICS:
        if prefix + topic in stats.ms:
            yield MetricReading("publish_seconds", (topic,), stats.ms[prefix + topic])
        if topic not in MEDIA_TOPICS:
            yield MetricReading("published_total", (topic,), stats.n_records[prefix + topic])
            yield MetricReading("publish_errors_total", (topic,), stats.n_errors[prefix + topic])


def _worker(state: WorkerState) -> Iterator[MetricReading]:
    yield MetricReading("loop_stall_seconds", (), state.meter.loop_stall_ms)
    if (age_s := state.heartbeat_age_s(time.monotonic())) is not None:
        yield MetricReading("heartbeat_age_seconds", (), age_s)
    yield MetricReading("assignments_total", (), state.manager.n_assignments)
    yield MetricReading("assigned_partitions", (), len(state.manager.drivers))
    build = {"version": version(), "contract": str(VERSION), "python": platform.python_version()}
    yield MetricReading("build", (), build)
    if state.context is not None:
        model = state.context.model_info
        yield MetricReading("model", (), {"name": model.name, "version": model.version})


def _modality(topic: str) -> str:
    return topic.removeprefix("media.")


def _sizes(stats: BatchStats, max_items: int) -> Histogram:
    """Return batch sizes by powers of two up to the largest possible."""
    sizes = Histogram([2**n for n in range(max_items.bit_length()) if 2**n < max_items] + [max_items])
    for size, n_batches in stats.sizes.items():
        sizes.add(size, n_batches)
    return sizes


def _sums(name: str, values: Iterable[tuple[tuple[str, ...], int]]) -> Iterator[MetricReading]:
    """Yield one reading for each set of labels, summing values with equal labels."""
    sums: dict[tuple[str, ...], int] = {}
    for labels, n in values:
        sums[labels] = sums.get(labels, 0) + n
    for labels, n in sums.items():
        yield MetricReading(name, labels, n)


_FAMILIES: dict[str, Any] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class WorkerMetrics(Collector):
    """Reads a worker's parts on request; between requests nothing is counted for Prometheus."""

    def __init__(self, state: WorkerState, *, is_live: Callable[[], bool], is_ready: Callable[[], bool]) -> None:
        self._state, self._is_live, self._is_ready = state, is_live, is_ready
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)  # resident memory, CPU seconds, open files

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type, in the format that an Accept header asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def describe(self) -> Iterable[Any]:
        """Return nothing: a registry calls this at registration, before there are values."""
        return ()

    def collect(self) -> Iterable[Any]:
        """Yield a family for each metric of the table, with its present values."""
        readings: dict[str, list[MetricReading]] = defaultdict(list)
        health = MetricReading("live", (), self._is_live()), MetricReading("ready", (), self._is_ready())
        for reading in (*read_all(self._state), *health):
            readings[reading.name].append(reading)
        for metric in TABLE:
            yield _family(metric, readings.pop(metric.name, []))
        if readings:
            raise KeyError(f"metrics that are not in the table: {sorted(readings)}")


def _family(metric: Metric, readings: list[MetricReading]) -> Any:
    name = PREFIX + metric.name
    if metric.kind == "info":
        family: Any = InfoMetricFamily(name, metric.help)
        for reading in readings:
            family.add_metric([], reading.value)
        return family
    family = _FAMILIES[metric.kind](name, metric.help, labels=metric.labels)
    in_seconds = metric.name.endswith("_seconds")
    for reading in readings:
        if isinstance(reading.value, Histogram):
            _add_histogram(family, reading.labels, reading.value, 1_000 if in_seconds else 1)
        elif not isinstance(reading.value, Mapping):
            family.add_metric(reading.labels, reading.value)
    return family


def _add_histogram(family: Any, labels: tuple[str, ...], histogram: Histogram, divisor: int) -> None:
    buckets = [("+Inf" if bound == math.inf else str(bound / divisor), n) for bound, n in histogram.cumulative()]
    family.add_metric(labels, buckets=buckets, sum_value=histogram.total / divisor)
