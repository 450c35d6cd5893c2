"""Reads a history from a broker, up to the high watermarks at the start.

In a running system the ends are asked for in this order: commits, results, decisions, media. So every result read has
its decision in the log read, and every decision its records.

Media are read committed, as workers do, and where offsets are left over once more uncommitted. What comes only then was
aborted, or is at or after an open transaction.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from syncline.kafka.cluster import Cluster, as_cluster
from syncline.kafka.topic_reader import OffsetSpan, TopicReader
from syncline.send_log import Send
from syncline.wire.contract import DECISIONS, MEDIA_TOPICS, RESULT_TOPICS
from verify.history import CommitSample, History, PartitionHistory, Published
from verify.wire import MediaReader, read_entry, read_published

OnProgress = Callable[[int, int], None]
"""(records read, records to read)."""


async def read_history(
    brokers: str | Cluster,
    *,
    topic_prefix: str,
    group: str = "",
    sends: Iterable[Send] = (),
    commits: Iterable[CommitSample] = (),
    kafka_options: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
) -> History:
    """Read everything that a deployment's topics have now.

    group: the workers' consumer group, to check its committed offsets; "": do not. sends, commits: what producers
    (`SendLog`) and `watch_commits` have recorded. kafka_options: more arguments for aiokafka's clients. Raises
    `BrokerError`, and `NewerVersionError` at a result of a newer version.
    """
    samples = list(commits)
    cluster = _cluster(brokers, kafka_options)
    async with (
        TopicReader(cluster, topic_prefix) as reader,
        TopicReader(cluster, topic_prefix, MEDIA_TOPICS, committed=True) as committed,
    ):
        if group:
            samples.append(await _sample(reader, group))
        spans = await reader.spans(RESULT_TOPICS) | await reader.spans([DECISIONS]) | await reader.spans(MEDIA_TOPICS)
        stable = await committed.ends(MEDIA_TOPICS)
        partitions = [PartitionHistory(partition=number) for number in range(reader.n_partitions)]
        for (topic, number), span in spans.items():
            partitions[number].spans[topic] = span
        progress = _Progress(sum(span.end - span.start for span in spans.values()), on_progress)
        await _fill(reader, partitions, progress)
        await _fill_media(reader, committed, partitions, stable, progress)
    return History(n_partitions=len(partitions), partitions=partitions, commits=samples, sends=list(sends))


class _Progress:
    def __init__(self, n_total: int, on_progress: OnProgress | None) -> None:
        self._n_read, self._n_total, self._on_progress = 0, n_total, on_progress

    def add(self, n_records: int) -> None:
        self._n_read += n_records
        if self._on_progress is not None:
            self._on_progress(self._n_read, self._n_total)


async def _fill(reader: TopicReader, partitions: Sequence[PartitionHistory], progress: _Progress) -> None:
    for topic in (DECISIONS, *RESULT_TOPICS):
        async for number, raws in reader.read(topic, {one.partition: one.span(topic) for one in partitions}):
            history = partitions[number]
            _note_first(history, topic, raws)
            if topic == DECISIONS:
                history.log += map(read_entry, raws)
            else:
                read: list[Published] = [read_published(topic, raw) for raw in raws]
                history.published.setdefault(topic, []).extend(read)
            progress.add(len(raws))


async def _fill_media(
    reader: TopicReader,
    committed: TopicReader,
    partitions: Sequence[PartitionHistory],
    stable: Mapping[tuple[str, int], int],
    progress: _Progress,
) -> None:
    media = MediaReader()
    for topic in MEDIA_TOPICS:
        whole = {one.partition: one.span(topic) for one in partitions}
        readable = {number: span._replace(end=min(span.end, stable[topic, number])) for number, span in whole.items()}
        async for number, raws in committed.read(topic, readable):
            _note_first(partitions[number], topic, raws)
            partitions[number].media.setdefault(topic, []).extend(map(media.read, raws))
            progress.add(len(raws))
        n_read = {one.partition: len(one.media.get(topic, ())) for one in partitions}
        left_over = {number: span for number, span in whole.items() if n_read[number] < span.end - span.start}
        # Records deleted meanwhile are missing in the second reading, and so are ignored.
        known = {number: {record.offset for record in partitions[number].media.get(topic, ())} for number in left_over}
        async for number, raws in reader.read(topic, left_over):
            for record in map(media.read, (raw for raw in raws if raw.offset not in known[number])):
                history = partitions[number]
                withheld = history.aborted if record.offset < readable[number].end else history.unstable
                withheld.setdefault(topic, []).append(record)


def _note_first(history: PartitionHistory, topic: str, raws: Sequence[Any]) -> None:
    span = history.spans[topic]
    if raws[0].offset == span.start or not span.first_append_ms:
        history.spans[topic] = OffsetSpan(span.start, span.end, raws[0].timestamp)


@asynccontextmanager
async def watch_commits(
    brokers: str | Cluster, *, topic_prefix: str, group: str, kafka_options: Mapping[str, Any] | None = None
) -> AsyncGenerator[Callable[[], Coroutine[Any, Any, CommitSample]]]:
    """Yield an async function that takes a `CommitSample`; collect the samples for `read_history(commits=…)`.

    It raises `BrokerError` while the broker is away.
    """
    async with TopicReader(_cluster(brokers, kafka_options), topic_prefix) as reader:
        yield lambda: _sample(reader, group)


async def _sample(reader: TopicReader, group: str) -> CommitSample:
    """Ask for a group's committed offsets, then for the result topics' ends."""
    committed = await reader.committed(group)
    return CommitSample(committed=committed, ends=await reader.ends(RESULT_TOPICS))


def _cluster(brokers: str | Cluster, kafka_options: Mapping[str, Any] | None) -> Cluster:
    return Cluster.of(brokers, options=kafka_options) if isinstance(brokers, str) else as_cluster(brokers)
