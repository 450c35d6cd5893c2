"""A worker's metrics in Prometheus' text format. One worker, one registry: nothing is global."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from streams.histogram import Histogram
from streams.metrics.readings import Reading, read_all
from streams.metrics.sources import Sources
from streams.metrics.table import PREFIX, TABLE, Metric

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
