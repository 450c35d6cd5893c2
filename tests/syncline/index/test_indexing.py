"""Laws of bringing results from a broker into the index."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from syncline.consumer import ResultConsumer
from syncline.index import indexing
from syncline.index.indexing import Indexed, in_words, index_results
from syncline.index.rows import IndexEntry, pack
from syncline.index.store import Index
from syncline.wire.results import ModelInfo, encode_fused
from tests.support.brokers import TestBroker
from tests.support.contract import example_fused
from tests.support.index import result_at
from tests.support.topics import make_topics, write_records

REFERENCE = ModelInfo("reference", "1")


def found(index: Index) -> list[str]:
    return sorted(hit.row.id for hit in index.search(REFERENCE, pack([1.0, 0.0])))


class CrashError(Exception):
    """Stands for the end of the process."""


class CrashingIndex(Index):
    """Ends the process just before or just after a batch is written."""

    crash = ""

    def add(self, entries: Iterable[IndexEntry]) -> int:
        """Write, or not, and crash."""
        n_new = 0 if self.crash == "before" else super().add(entries)
        if self.crash:
            raise CrashError
        return n_new


async def run_once(broker: TestBroker, prefix: str, index: Index) -> Indexed:
    consumer = ResultConsumer(broker.address, topic_prefix=prefix, group_id=f"{prefix}index")
    async with consumer as results:
        counts = Indexed()
        await index_results(results, index, counts, once=True)
        return counts


async def test_once_reads_all_that_is_there_and_counts(broker: TestBroker, topic_prefix: str, tmp_path: Path) -> None:
    """Repeats, results without embedding and those that cannot be compared are counted, and the rest is found."""
    await make_topics(broker.address, topic_prefix)
    results = [result_at(f"r{i}", 1, i, stream=f"s{i}") for i in range(9)]
    others = [example_fused("none", embedding=None), result_at("zero", 0, 0)]
    records = [encode_fused(result) for result in [*results, results[0], *others]]
    await write_records(broker.address, topic_prefix, records)
    with Index.create(tmp_path, topic_prefix) as index:
        counts = await run_once(broker, topic_prefix, index)
        assert (counts.n_new, counts.n_known, counts.n_without, counts.n_unusable) == (9, 0, 1, 1)
        assert found(index) == [f"r{i}" for i in range(9)]


async def test_once_ends_where_there_is_nothing(broker: TestBroker, topic_prefix: str, tmp_path: Path) -> None:
    """Empty topics have an end too."""
    await make_topics(broker.address, topic_prefix)
    with Index.create(tmp_path, topic_prefix) as index:
        assert (await run_once(broker, topic_prefix, index)).n_results == 0


@pytest.mark.parametrize("crash", ["before", "after"])
async def test_a_crash_beside_a_write_loses_and_doubles_nothing(
    broker: TestBroker, topic_prefix: str, tmp_path: Path, crash: str
) -> None:
    """What was read and not committed comes again, and is held once."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, [encode_fused(result_at(f"r{i}", 1, i)) for i in range(5)])
    with CrashingIndex.create(tmp_path, topic_prefix) as index:
        index.crash = crash
        with pytest.raises(CrashError):
            await run_once(broker, topic_prefix, index)
        index.crash = ""
        counts = await run_once(broker, topic_prefix, index)
        assert (counts.n_new, counts.n_known) == ((5, 0) if crash == "before" else (0, 5))
        assert found(index) == [f"r{i}" for i in range(5)]


async def test_it_goes_on_where_it_stopped(
    broker: TestBroker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed is not read again, in batches of whatever size."""
    monkeypatch.setattr(indexing, "MAX_BATCH", 2)
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, [encode_fused(result_at(f"r{i}", 1, i)) for i in range(5)])
    with Index.create(tmp_path, topic_prefix) as index:
        assert (await run_once(broker, topic_prefix, index)).n_new == 5
        await write_records(broker.address, topic_prefix, [encode_fused(result_at("r5", 1, 5))])
        counts = await run_once(broker, topic_prefix, index)
        assert (counts.n_new, counts.n_known) == (1, 0)


def test_counts_in_words_leave_out_what_is_nothing() -> None:
    """But for the first."""
    assert in_words(Indexed()) == "0 results indexed"
    assert in_words(Indexed(3, 1, 2, 4)) == (
        "3 results indexed, 1 had been indexed before, 2 without embedding, 4 with an embedding that cannot be compared"
    )
