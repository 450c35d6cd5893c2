"""What the partition drivers of a worker share, and what each is assigned."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from models.interface import Fusion, Member
from streams.convert.conversions import Conversions
from streams.kafka.app import SynclineApp
from streams.kafka.batch_consumer import Ends
from streams.kafka.cluster_watch import Counted
from streams.kafka.consumer_thread import Start
from streams.kafka.faust import driver
from streams.kafka.log import LogTail
from streams.kafka.producer import Producer
from streams.meter import Meter
from streams.partition.decode import Decoder
from streams.settings import WorkerSettings
from syncline.kafka.cluster import Cluster
from syncline.wire.results import ModelInfo

Fuse = Callable[[Sequence[Member]], Coroutine[Any, Any, Fusion]]


class GroupMember:
    """A worker's access to its Faust consumer: topics without prefix, times in ms.

    Calls for another epoch than the present one are ignored.
    """

    def __init__(self, app: SynclineApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    def _tp(self, topic: str, partition: int) -> Any:
        return driver.TP(self._prefix + topic, partition)

    @property
    def heartbeat(self) -> tuple[int, int]:
        """Generation, and when its last successful heartbeat was sent, monotonic ms; (-1, 0) before the first."""
        generation, sent_s = self._app.batches.heartbeat
        return (-1, 0) if generation < 0 else (generation, int(sent_s * 1_000))

    @property
    def generation(self) -> int:
        """This process's present generation; it differs from an assignment's after the group expired the member."""
        return self._app.batches.generation

    @property
    def n_ticks(self) -> int:
        """Grows while the consumer's thread runs."""
        return self._app.batches.n_ticks

    def hold(self, epoch: int, topic: str, partition: int, held: bool) -> None:
        """Pause (`held`) or resume a topic partition."""
        self._app.batches.hold(epoch, self._tp(topic, partition), held)

    def resolve(self, epoch: int, topic: str, partition: int, next_offset: int) -> None:
        """Allow to commit `next_offset`: every record below it is resolved."""
        self._app.batches.resolve(epoch, self._tp(topic, partition), next_offset)

    def fetched_ends(self, topic: str, partition: int) -> Ends:
        """Return a topic partition's end offsets as of its last fetch."""
        return self._app.batches.fetched_ends(self._tp(topic, partition))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """The started parts of a worker, shared by its partitions.

    Attributes:
        settings (WorkerSettings): the worker's settings.
        cluster (Cluster): the brokers.
        n_partitions (int): partitions of each topic.
        model_info (ModelInfo): the model's name and version.
        decoder (Decoder): decodes media.
        pool (ThreadPoolExecutor): the decode threads.
        producer (Producer): publishes results.
        tail (LogTail): reads the decision log.
        fuse (Fuse | None): asks the model; None for the null model.
        recoveries (AbstractAsyncContextManager[object]): limits how many logs are read at once.
        now_ms (Callable[[], int]): monotonic clock, ms.
        consumer (GroupMember): the Faust consumer.
        on_broken (Callable[[BaseException], None]): called with an unexpected error: the worker ends, and its successor
            recovers from the log.
        counted (Counted): when the topics were last known to have `n_partitions`.
        conversions (Conversions): converts single events. Default: nothing.
        meter (Meter): counters and histograms of all partitions. Default: a new one.
    """

    settings: WorkerSettings
    cluster: Cluster
    n_partitions: int
    model_info: ModelInfo
    decoder: Decoder
    pool: ThreadPoolExecutor
    producer: Producer
    tail: LogTail
    fuse: Fuse | None
    recoveries: AbstractAsyncContextManager[object]
    now_ms: Callable[[], int]
    consumer: GroupMember
    on_broken: Callable[[BaseException], None]
    counted: Counted
    conversions: Conversions = field(default_factory=Conversions)
    meter: Meter = field(default_factory=Meter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """One partition number in one assignment.

    Attributes:
        epoch (int): number of the assignment in this process.
        generation (int): number of the assignment in the group.
        partition (int): the partition number.
        starts (dict[str, Start]): where reading of each topic (without prefix) starts.
        worker (str): unique to this owner: a claim with this name is its own.
        n_shares (int): partition numbers of the assignment, which share the worker's limits. Default 1.
    """

    epoch: int
    generation: int
    partition: int
    starts: dict[str, Start]
    worker: str
    n_shares: int = 1
