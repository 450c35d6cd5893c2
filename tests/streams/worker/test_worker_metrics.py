"""A worker's /metrics while it works: what it says is true, and adds up at every moment."""

from __future__ import annotations

import re
from collections import Counter
from typing import get_args

from streams.decisions.records import RecordOutcome
from streams.inference.batch_stats import FlushReason
from streams.observe.exposition import bounded
from streams.observe.table import PREFIX, TABLE
from syncline.wire.contract import ALL_TOPICS, MEDIA_TOPICS, MODALITIES
from tests.support.brokers import TestBroker
from tests.support.interferences import FAULTY, FaultyModelSettings, Interferences, ModelFault
from tests.support.judge import Outcomes, Reader
from tests.support.moments import Sample, moments, send
from tests.support.scraped import Scraped
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
LIMIT_S = 300.0
MARKER = "mischief"
VALUES = {
    "topic": set(ALL_TOPICS),
    "partition": {str(number) for number in range(N_PARTITIONS)},
    "modality": set(MODALITIES),
    "outcome": {*get_args(RecordOutcome), "complete", "partial", "failed"},
    "limit": {"soft", "hard"},
    "kind": {"set", "unfused", "deadletter", "failed", "closed", "lanes", "ids"},
    "owner": {"own", "lost"},
    "stage": {"forward"},
}
"""Every value that a label can have; reasons are looked up where they are defined."""


def mixed(n_moments: int) -> list[Sample]:
    """Moments with lanes missing, some events sent twice, some late, some that the model cannot digest."""
    samples = moments(n_moments, missing=0.1, seed=2)
    for number in range(20, len(samples), 40):
        sample = samples[number]
        samples[number] = Sample(sample.moment, sample.event, MARKER.encode())
    late = [samples[number] for number in range(0, 60, 10)]
    twice = [sample for number in range(100, len(samples), 90) for sample in (samples[number],)]
    return [*samples, *late, *twice]


async def test_what_is_scraped_under_load_is_true_and_adds_up(broker: TestBroker, topic_prefix: str) -> None:
    """At each of many moments records taken are those let go and those held; in the end all is as the topics say."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    model = FaultyModelSettings(ms_per_set=2, faults=(ModelFault(kind="throws", marker=MARKER),))
    async with (
        WorkerProcess(broker, topic_prefix, Interferences(model=model), model=FAULTY, max_wait_ms=300) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await worker.until_ready()
        sent = await send(broker.address, topic_prefix, mixed(800), N_PARTITIONS)
        at_work: list[Scraped] = []
        while reader.outcomes.undecided(sent):
            await reader.read_some()
            at_work.append(await worker.scrape())
        outcomes = await reader.read_rest()
        end = await worker.scrape()
    assert outcomes.n_repeats == 0
    assert [scraped.n_unexplained for scraped in at_work] == [0] * len(at_work)
    assert any(scraped.sum("held_records") for scraped in at_work)
    assert any(scraped.value("inference_inflight") for scraped in at_work)
    assert sum(not scraped.value("live") for scraped in at_work) == 0
    _check_names_and_labels([*at_work, end])
    _check_growth([*at_work, end])
    _check_the_end(end, outcomes, len(sent.records))


def _check_names_and_labels(all_scraped: list[Scraped]) -> None:
    """The names of the table with its labels, and of each label only values that were known before."""
    labels = {
        PREFIX + metric.name.removesuffix("_total"): set(metric.labels) for metric in TABLE if metric.kind != "info"
    }
    for scraped in all_scraped:
        families = {name: family for name, family in scraped.families.items() if not name.startswith("process_")}
        assert {name for name in families if not name.endswith("_info")} == set(labels)
        for name, family in families.items():
            for sample in family.samples:
                if not name.endswith("_info"):
                    assert set(sample.labels) - {"le"} == labels[name]
                for label, value in sample.labels.items():
                    assert _is_known(name, label, value), (name, label, value)


def _is_known(name: str, label: str, value: str) -> bool:
    if name.endswith("_info") or label == "le":
        return re.fullmatch(r"[\w.+-]+", value) is not None
    if label == "reason":
        return value in (get_args(FlushReason) if name == PREFIX + "batches" else {bounded(value)})
    return value in VALUES[label]


def _check_growth(all_scraped: list[Scraped]) -> None:
    """Counters and buckets never go back while the process lives."""
    before: dict[tuple[str, str], float] = {}
    for scraped in all_scraped:
        for family in scraped.families.values():
            if family.type in ("counter", "histogram"):
                for sample in family.samples:
                    key = sample.name, str(sorted(sample.labels.items()))
                    assert sample.value >= before.get(key, 0.0), key
                    before[key] = sample.value


def _check_the_end(end: Scraped, outcomes: Outcomes, n_sent: int) -> None:
    """What the counters say at rest is what a reader of the result topics finds."""
    kinds = outcomes.kinds()
    by_kind: Counter[str] = Counter()
    for kind, n_records in kinds.items():
        by_kind[kind.split(" ")[0]] += n_records
    assert min(by_kind["unfused"], by_kind["deadletter"], kinds["unfused late"], kinds["unfused duplicate"]) > 0
    assert (end.sum("records_total"), end.sum("held_records"), end.n_unexplained) == (n_sent, 0, 0)
    for outcome in ("fused", "unfused", "deadletter"):
        assert end.value("record_outcomes_total", outcome=outcome) == by_kind[outcome]
    assert end.sum("late_total") == end.value("dropped_total", reason="late") == kinds["unfused late"]
    assert end.value("dropped_total", reason="duplicate") == kinds["unfused duplicate"]
    assert end.value("dlq_total", reason="model_failed") == kinds["deadletter model_failed"]
    sets = Counter(result.outcome for result in outcomes.fused.values())
    assert {outcome: end.value("sets_total", outcome=outcome) for outcome in sets} == sets
    n_fused = len(outcomes.fused)
    assert end.value("published_total", topic="results.fused") == n_fused
    for histogram in ("e2e_latency_seconds", "pipeline_latency_seconds"):
        assert end.value(histogram + "_count") == n_fused
    assert end.value("join_wait_seconds_count") == n_fused + end.value("sets_total", outcome="failed")
    assert end.sum("decode_seconds_count") == n_sent
    assert end.value("batch_size_sum") == n_fused + end.value("sets_total", outcome="failed")
    assert sum(end.value("consumer_lag", topic=t, partition=p) for t in MEDIA_TOPICS for p in ("0", "1")) == 0
