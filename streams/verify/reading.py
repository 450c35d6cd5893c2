"""Reads a history back from a broker: everything below the high watermarks that were found at the start.

The order in which ends are asked for matters where the system runs: commits, results, decisions, media. Then what a
result says has its decision in the log that is read, and what a decision names has its record.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from streams.verify.history import CommitSample, History, PartitionHistory, Published
from streams.verify.wire import MediaReader, read_entry, read_published
from syncline.cluster import Cluster, as_cluster
from syncline.contract import ALL_TOPICS, DECISIONS, MEDIA_TOPICS, RESULT_TOPICS
from syncline.send_log import Send
from syncline.topic_reader import Span, TopicReader

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
    """Read everything that a deployment's topics hold now.

    group: the workers' consumer group, whose committed offsets are judged; "" looks at none. sends, commits: what
    producers (`SendLog`) and `watch_commits` have noted before. kafka_options: further arguments for aiokafka's
    clients. Raises `BrokerError`, and `NewerVersionError` at a result that a newer version wrote.
    """
    samples = list(commits)
    async with TopicReader(_cluster(brokers, kafka_options), topic_prefix) as reader:
        if group:
            samples.append(await _sample(reader, group))
        spans = await reader.spans(RESULT_TOPICS) | await reader.spans([DECISIONS]) | await reader.spans(MEDIA_TOPICS)
        partitions = [PartitionHistory(partition=number) for number in range(reader.n_partitions)]
        for (topic, number), span in spans.items():
            partitions[number].spans[topic] = span
        await _fill(reader, partitions, on_progress)
    return History(n_partitions=len(partitions), partitions=partitions, commits=samples, sends=list(sends))


async def _fill(reader: TopicReader, partitions: Sequence[PartitionHistory], on_progress: OnProgress | None) -> None:
    n_total = sum(span.end - span.start for history in partitions for span in history.spans.values())
    n_read, media = 0, MediaReader()
    for topic in ALL_TOPICS:
        async for number, raws in reader.read(topic, {one.partition: one.span(topic) for one in partitions}):
            _take(partitions[number], topic, raws, media)
            n_read += len(raws)
            if on_progress is not None:
                on_progress(n_read, n_total)


def _take(history: PartitionHistory, topic: str, raws: Sequence[Any], media: MediaReader) -> None:
    span = history.spans[topic]
    if raws[0].offset == span.start or not span.first_append_ms:
        history.spans[topic] = Span(span.start, span.end, raws[0].timestamp)
    if topic == DECISIONS:
        history.log += map(read_entry, raws)
    elif topic in MEDIA_TOPICS:
        history.media.setdefault(topic, []).extend(map(media.read, raws))
    else:
        read: list[Published] = [read_published(topic, raw) for raw in raws]
        history.published.setdefault(topic, []).extend(read)


@asynccontextmanager
async def watch_commits(
    brokers: str | Cluster, *, topic_prefix: str, group: str, kafka_options: Mapping[str, Any] | None = None
) -> AsyncGenerator[Callable[[], Coroutine[Any, Any, CommitSample]]]:
    """Yields an async function that takes one `CommitSample` a call; collect them for `read_history(commits=…)`.

    It raises `BrokerError` while the broker is away: then there is no sample.
    """
    async with TopicReader(_cluster(brokers, kafka_options), topic_prefix) as reader:
        yield lambda: _sample(reader, group)


async def _sample(reader: TopicReader, group: str) -> CommitSample:
    """The committed offsets of a group, and after them the ends of the result topics."""
    committed = await reader.committed(group)
    return CommitSample(committed=committed, ends=await reader.ends(RESULT_TOPICS))


def _cluster(brokers: str | Cluster, kafka_options: Mapping[str, Any] | None) -> Cluster:
    return Cluster.of(brokers, options=kafka_options) if isinstance(brokers, str) else as_cluster(brokers)
