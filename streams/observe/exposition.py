"""A worker's metrics in Prometheus' text format, read from its parts when somebody asks; what each is:
streams/observe/table.py.
"""

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
from streams.join.model import SetReason
from streams.join.state import n_pending_sets, slowest_watermarks
from streams.observe.readiness import STALE_AFTER_MS
from streams.observe.table import PREFIX, TABLE, Metric
from streams.observe.worker_state import Sources
from syncline.version import version
from syncline.wire.contract import ALL_TOPICS, MEDIA_TOPICS, REASONS, UNFUSED_REASONS, VERSION

OTHER = "other"
"""What a label says instead of a value that is not known beforehand."""
_REASONS = {*REASONS, *MEDIA_REASONS, *UNFUSED_REASONS, *get_args(SetReason), "shared"}
_MILLI = 1_000


class Reading(NamedTuple):
    """One value of one metric (name without prefix); histograms in ms where the metric is in seconds."""

    name: str
    labels: tuple[str, ...]
    value: float | Histogram | Mapping[str, str]


def read_all(sources: Sources) -> Iterator[Reading]:
    """Every value that there is now."""
    for read in (_reading, _held, _join, _decisions, _model, _conversions, _outcomes, _output, _worker):
        yield from read(sources)


def bounded(reason: str) -> str:
    """A reason as a label: what is on no list, as of a newer version's log, is `other`."""
    return reason if reason in _REASONS else OTHER


def _reading(sources: Sources) -> Iterator[Reading]:
    watch = sources.lag_watch
    silent_ms = watch.silent_ms if watch is not None else None
    if silent_ms is not None:
        yield Reading("high_watermark_age_seconds", (), silent_ms / _MILLI)
    for topic, partition, lag in sorted(sources.hub.lags()):
        if lag is not None and silent_ms is not None and silent_ms <= STALE_AFTER_MS:
            labels = (topic, str(partition))
            yield Reading("consumer_lag", labels, lag.records)
            yield Reading("consumer_lag_seconds", labels, lag.age_ms / _MILLI)
    for partition, driver in sources.hub.drivers.items():
        for topic in MEDIA_TOPICS:
            yield Reading("reading_paused", (topic, str(partition)), topic not in driver.reads)
    if sources.decoder is not None:
        for topic, took_ms in sources.decoder.took_ms.items():
            yield Reading("decode_seconds", (_modality(topic),), took_ms)


def _held(sources: Sources) -> Iterator[Reading]:
    join = sources.settings.join
    for limit, factor in (("soft", 1), ("hard", join.hard_limit_factor)):
        yield Reading("held_records_limit", (limit,), join.max_held_events * factor)
        yield Reading("held_bytes_limit", (limit,), join.max_held_bytes * factor)
    for partition, driver in sources.hub.drivers.items():
        held = driver.owner.standing.held
        yield Reading("held_records", (str(partition),), held.events)
        yield Reading("held_bytes", (str(partition),), held.n_bytes)
        yield Reading("kept_records", (str(partition),), driver.owner.standing.n_kept)


def _join(sources: Sources) -> Iterator[Reading]:
    meter, owners = sources.meter, [driver.owner for driver in sources.hub.drivers.values()]
    joins = [owner.standing.join for owner in owners if owner.standing.join is not None]
    streams = [stream for join in joins for stream in join.streams]
    wall_ms = time.time() * 1_000
    for topic, lag_ms in meter.event_lag_ms.items():
        yield Reading("event_time_lag_seconds", (_modality(topic),), lag_ms / _MILLI)
    for topic, watermark_ms in slowest_watermarks(streams).items():
        yield Reading("watermark_lag_seconds", (_modality(topic),), (wall_ms - watermark_ms) / _MILLI)
    yield Reading("join_pending_sets", (), n_pending_sets(streams))
    yield Reading("join_pending_records", (), sum(join.n_undecided for join in joins))
    yield Reading(
        "join_pending_bytes",
        (),
        sum(owner.standing.held.n_bytes - owner.standing.on_its_way.n_bytes for owner in owners),
    )
    yield Reading("join_wait_seconds", (), meter.tally.waits_ms)
    for partition, driver in sources.hub.drivers.items():
        if (join := driver.owner.standing.join) is not None:
            yield Reading("remembered_lanes", (str(partition),), len(join.clocks))
            yield Reading("remembered_ids", (str(partition),), join.clocks.n_more_ids)
    for kind in get_args(Forgotten):
        yield Reading("forgotten_total", (kind,), meter.tally.forgotten[kind])
    n_suspect = meter.tally.n_suspect_pairs + sum(join.counters["suspect_pairs"] for join in joins)
    yield Reading("suspect_pairs_total", (), n_suspect)
    yield Reading("source_changes_total", (), sources.decoder.sources.n_changes if sources.decoder else 0)


def _decisions(sources: Sources) -> Iterator[Reading]:
    tally = sources.meter.tally
    yield from _sums("decisions_total", (((kind, bounded(reason)), n) for (kind, reason), n in tally.decisions.items()))
    yield Reading("redone_total", (), tally.n_redone)
    yield Reading("void_batches_total", (), tally.n_void_batches)
    yield Reading("claims_total", ("own",), tally.n_claims)
    yield Reading("claims_total", ("lost",), tally.n_lost_claims)
    yield Reading("snapshots_total", (), tally.n_snapshots)
    yield Reading("recovery_seconds", (), sources.meter.recovery_ms)


def _model(sources: Sources) -> Iterator[Reading]:
    runner = sources.runner
    if runner is None:
        return
    stats = runner.stats
    yield Reading("batch_size", (), _sizes(stats, sources.settings.batch_max_items))
    for reason in get_args(FlushReason):
        yield Reading("batches_total", (reason,), stats.reasons[reason])
    yield Reading("batch_wait_seconds", (), stats.waits_ms)
    yield Reading("batch_seconds", ("forward",), stats.runs_ms)
    yield Reading("batch_failures_total", (), stats.n_failed_runs)
    yield Reading("inference_queue_depth", (), runner.n_queued)
    yield Reading("inference_inflight", (), runner.n_running)
    yield Reading("device_busy_seconds_total", (), runner.busy_s)
    yield Reading("device_busy_ratio", (), sources.busy.share)
    yield Reading("model_down_seconds", (), runner.health().down_s)


def _conversions(sources: Sources) -> Iterator[Reading]:
    conversions = sources.conversions
    for runner in conversions.runners:
        kind = runner.kind
        for outcome in ("made", "refused"):
            yield Reading("conversions_total", (kind, outcome), conversions.made[kind, outcome])
        yield Reading("conversion_seconds", (kind,), conversions.took_ms[kind])
        yield Reading("converter_batch_seconds", (kind,), runner.stats.runs_ms)
        yield Reading("converter_queue_depth", (kind,), runner.n_queued)
        yield Reading("converter_busy_seconds_total", (kind,), runner.busy_s)
        yield Reading("converter_down_seconds", (kind,), runner.health().down_s)


def _outcomes(sources: Sources) -> Iterator[Reading]:
    tally = sources.meter.tally
    for topic in MEDIA_TOPICS:
        yield Reading("records_total", (_modality(topic),), tally.taken[topic])
        yield Reading("unjudged_total", (_modality(topic),), sources.hub.n_unjudged[topic])
    for outcome in get_args(RecordOutcome):
        yield Reading("record_outcomes_total", (outcome,), tally.let_go[outcome])
    for outcome in ("complete", "partial", "failed"):
        yield Reading("sets_total", (outcome,), tally.sets[outcome])
    for topic in MEDIA_TOPICS:
        yield Reading("late_total", (_modality(topic),), tally.unfused[topic, "late"])
    dropped = [((reason,), 0) for reason in UNFUSED_REASONS]
    dropped += [((bounded(reason),), n) for (_, reason), n in tally.unfused.items()]
    yield from _sums("dropped_total", dropped)
    yield from _sums("dlq_total", (((bounded(reason),), n) for reason, n in tally.dead_letters.items()))


def _output(sources: Sources) -> Iterator[Reading]:
    yield Reading("e2e_latency_seconds", (), sources.meter.e2e_ms)
    yield Reading("pipeline_latency_seconds", (), sources.meter.pipeline_ms)
    if sources.producer is None:
        return
    stats, prefix = sources.producer.stats, sources.settings.topic_prefix
    for topic in ALL_TOPICS:
        if prefix + topic in stats.ms:
            yield Reading("publish_seconds", (topic,), stats.ms[prefix + topic])
        if topic not in MEDIA_TOPICS:
            yield Reading("published_total", (topic,), stats.n_records[prefix + topic])
            yield Reading("publish_errors_total", (topic,), stats.n_errors[prefix + topic])


def _worker(sources: Sources) -> Iterator[Reading]:
    yield Reading("loop_stall_seconds", (), sources.meter.loop_stall_ms)
    if (age_s := sources.heartbeat_age_s(time.monotonic())) is not None:
        yield Reading("heartbeat_age_seconds", (), age_s)
    yield Reading("assignments_total", (), sources.hub.n_assignments)
    yield Reading("assigned_partitions", (), len(sources.hub.drivers))
    build = {"version": version(), "contract": str(VERSION), "python": platform.python_version()}
    yield Reading("build", (), build)
    if sources.model is not None:
        yield Reading("model", (), {"name": sources.model.name, "version": sources.model.version})


def _modality(topic: str) -> str:
    return topic.removeprefix("media.")


def _sizes(stats: BatchStats, max_items: int) -> Histogram:
    """Sizes of batches, in powers of two up to the largest that there can be."""
    sizes = Histogram([2**n for n in range(max_items.bit_length()) if 2**n < max_items] + [max_items])
    for size, n_batches in stats.sizes.items():
        sizes.add(size, n_batches)
    return sizes


def _sums(name: str, values: Iterable[tuple[tuple[str, ...], int]]) -> Iterator[Reading]:
    """One reading for each set of labels, whatever became the same label."""
    sums: dict[tuple[str, ...], int] = {}
    for labels, n in values:
        sums[labels] = sums.get(labels, 0) + n
    for labels, n in sums.items():
        yield Reading(name, labels, n)


_FAMILIES: dict[str, Any] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class WorkerMetrics(Collector):
    """Reads a worker's parts whenever somebody asks for its metrics; between, nobody counts for Prometheus' sake."""

    def __init__(self, sources: Sources, *, is_live: Callable[[], bool], is_ready: Callable[[], bool]) -> None:
        self._sources, self._is_live, self._is_ready = sources, is_live, is_ready
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)  # resident memory, CPU seconds, open files

    def text(self, accept: str) -> tuple[bytes, str]:
        """The metrics, and their content type, in the form that an Accept header asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def describe(self) -> Iterable[Any]:
        """Nothing: a registry asks at registration, when there is nothing to read yet."""
        return ()

    def collect(self) -> Iterable[Any]:
        """A family for each metric of the table, with the values that there are."""
        readings: dict[str, list[Reading]] = defaultdict(list)
        health = Reading("live", (), self._is_live()), Reading("ready", (), self._is_ready())
        for reading in (*read_all(self._sources), *health):
            readings[reading.name].append(reading)
        for metric in TABLE:
            yield _family(metric, readings.pop(metric.name, []))
        if readings:
            raise KeyError(f"metrics that are not in the table: {sorted(readings)}")


def _family(metric: Metric, readings: list[Reading]) -> Any:
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
