"""streams/observe/exposition.py: a worker's parts as Prometheus reads them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from streams.inference.batch_stats import BatchStats
from streams.inference.runner import RunnerHealth
from streams.kafka.producer import SendStats
from streams.observe import exposition
from streams.observe.exposition import MetricReading, WorkerMetrics, bounded
from streams.observe.table import PREFIX, TABLE
from streams.observe.worker_state import WorkerState
from streams.partition.manager import PartitionManager
from streams.settings import WorkerSettings
from syncline.wire.results import ModelInfo
from tests.streams.decisions.test_reasons import HUNDRED
from tests.support.driven import Driven
from tests.support.scraped import Scraped
from tests.support.worlds import media_of

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def state() -> WorkerState:
    """A worker that has not begun."""
    return WorkerState(settings=WorkerSettings(batch_max_items=24), manager=PartitionManager("p."))


def metrics_of(state: WorkerState) -> WorkerMetrics:
    return WorkerMetrics(state, is_live=lambda: True, is_ready=lambda: False)


def scrape(state: WorkerState) -> Scraped:
    """What /metrics would say."""
    return Scraped(metrics_of(state).text("")[0].decode())


def test_every_metric_of_the_table_is_there_before_the_worker_has_begun(state: WorkerState) -> None:
    """With its type and its help; beside them the process's own, and nothing else."""
    scraped = scrape(state)
    told = {
        (name.removeprefix(PREFIX), family.type, family.documentation)
        for name, family in scraped.families.items()
        if name.startswith(PREFIX)
    }
    assert told == {
        (metric.name + "_info", "gauge", metric.help)
        if metric.kind == "info"
        else (metric.name.removesuffix("_total"), metric.kind, metric.help)
        for metric in TABLE
    }
    assert {name for name in scraped.families if not name.startswith((PREFIX, "process_"))} == set()
    assert scraped.value("process_resident_memory_bytes") > 10_000_000
    assert (scraped.value("live"), scraped.value("ready")) == (1, 0)


def test_a_scraper_that_wants_openmetrics_gets_it(state: WorkerState) -> None:
    """Prometheus asks for it by itself."""
    body, content_type = metrics_of(state).text(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    assert len(list(text_string_to_metric_families(body.decode()))) > len(TABLE)


def test_two_workers_in_one_process_share_nothing(state: WorkerState) -> None:
    """A registry each, and the library's global one stays as it was."""
    before = set(REGISTRY._names_to_collectors)
    other = WorkerState(settings=WorkerSettings(), manager=PartitionManager("q."))
    metrics_of(state), metrics_of(other)
    state.meter.counters.dead_letters["lost"] = 3
    assert scrape(state).sum("dlq_total") == 3
    assert scrape(other).sum("dlq_total") == 0
    assert set(REGISTRY._names_to_collectors) == before


def test_what_became_of_records_adds_up(state: WorkerState) -> None:
    """Of a real owner in the midst of its work: taken, less let go, is what it holds."""
    driven = Driven()
    state.meter.counters = driven.owner._counters
    driven.feed(media_of(image=HUNDRED, text=HUNDRED[:50], audio=HUNDRED[:60])).settle()
    scraped = scrape(state)
    assert scraped.sum("records_total") == 210
    assert scraped.value("record_outcomes_total", outcome="fused") == 150
    assert scraped.n_unexplained == driven.owner.in_flight.held.events == 60
    assert scraped.value("decisions_total", kind="set", reason="complete") == 50


@pytest.mark.parametrize("reason", ["lost", "audio_header", "no_key", "late", "pressure"])
def test_a_known_reason_is_a_label(reason: str) -> None:
    """Those of the contract, of broken media and of decisions."""
    assert bounded(reason) == reason


def test_an_unknown_reason_is_other(state: WorkerState) -> None:
    """As a newer worker's log may hold, or a model's own error: labels must not grow without bound."""
    for reason in ("made up", "lost", "stream-7", "also made up"):
        state.meter.counters.dead_letters[reason] += 1
        state.meter.counters.unfused["media.text", reason] += 1
        state.meter.counters.decisions["unfused", reason] += 1
    scraped = scrape(state)
    assert scraped.value("dlq_total", reason="other") == 3
    assert scraped.value("dlq_total", reason="lost") == 1
    assert scraped.value("dropped_total", reason="other") == 3
    assert scraped.value("decisions_total", kind="unfused", reason="other") == 3


class Runner:
    """A model runner whose numbers stand still."""

    def __init__(self) -> None:
        self.stats = BatchStats()
        self.n_queued, self.n_running, self.busy_s = 5, 3, 12.5

    def health(self) -> RunnerHealth:
        return RunnerHealth("", "", 0.0, 7.0)


def test_batches_are_shown_with_the_sizes_that_there_can_be(state: WorkerState) -> None:
    """Powers of two up to the largest; times in seconds."""
    runner = Runner()
    runner.stats.left([0.004, 0.004, 0.25], "idle")
    runner.stats.left([0.0] * 24, "full")
    runner.stats.runs_ms.add(40)
    state.runner = runner  # type: ignore[assignment]
    scraped = scrape(state)
    sizes = {sample.labels["le"]: sample.value for sample in scraped.samples("batch_size_bucket")}
    assert sizes == {"1.0": 0, "2.0": 0, "4.0": 1, "8.0": 1, "16.0": 1, "24.0": 2, "+Inf": 2}
    assert scraped.value("batch_size_sum") == 27
    assert scraped.value("batch_wait_seconds_sum") == pytest.approx(0.258)
    assert scraped.value("batch_seconds_bucket", stage="forward", le="0.05") == 1
    assert scraped.value("batches_total", reason="full") == 1
    assert scraped.value("batches_total", reason="timeout") == 0
    assert (scraped.value("inference_queue_depth"), scraped.value("inference_inflight")) == (5, 3)
    assert (scraped.value("device_busy_seconds_total"), scraped.value("model_down_seconds")) == (12.5, 7)


def test_the_age_of_the_last_heartbeat_is_shown_once_there_was_one(state: WorkerState) -> None:
    """Generation -1 is none yet."""
    member = SimpleNamespace(heartbeat=(-1, 0))
    decoder = SimpleNamespace(took_ms={}, sources=SimpleNamespace(n_changes=0))
    context = SimpleNamespace(
        consumer=member, decoder=decoder, producer=Mock(stats=SendStats()), model_info=ModelInfo("null", "1")
    )
    state.context = context  # type: ignore[assignment]
    assert list(scrape(state).samples("heartbeat_age_seconds")) == []
    member.heartbeat = 4, int((time.monotonic() - 9) * 1_000)
    assert scrape(state).value("heartbeat_age_seconds") == pytest.approx(9, abs=1)


def test_a_reading_that_is_not_in_the_table_is_a_mistake(state: WorkerState, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be shown by nobody."""

    def stray(_: WorkerState) -> Iterator[MetricReading]:
        yield MetricReading("stray", (), 1)

    monkeypatch.setattr(exposition, "read_all", stray)
    with pytest.raises(KeyError, match="stray"):
        metrics_of(state).text("")
