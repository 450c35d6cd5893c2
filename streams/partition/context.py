"""What the drivers of all partition numbers share, and what each of them is assigned."""

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
    """What a worker's parts ask of its Faust consumer: topics without their prefix, times in ms.

    What is said about another epoch than the present is not heeded.
    """

    def __init__(self, app: SynclineApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    def _tp(self, topic: str, partition: int) -> Any:
        return driver.TP(self._prefix + topic, partition)

    @property
    def heartbeat(self) -> tuple[int, int]:
        """Generation, and monotonic ms at which the last heartbeat that succeeded in it was sent; (-1, 0) before."""
        generation, sent_s = self._app.batches.heartbeat
        return (-1, 0) if generation < 0 else (generation, int(sent_s * 1_000))

    @property
    def generation(self) -> int:
        """In which this process is now; another one than an assignment's once the group has forgotten it."""
        return self._app.batches.generation

    @property
    def n_ticks(self) -> int:
        """Grows while the consumer's thread runs."""
        return self._app.batches.n_ticks

    def hold(self, epoch: int, topic: str, partition: int, held: bool) -> None:
        """Leave a topic partition out of the polls to come, or take it in again."""
        self._app.batches.hold(epoch, self._tp(topic, partition), held)

    def resolve(self, epoch: int, topic: str, partition: int, next_offset: int) -> None:
        """Say that every record below `next_offset` is resolved, and may be committed."""
        self._app.batches.resolve(epoch, self._tp(topic, partition), next_offset)

    def fetched_ends(self, topic: str, partition: int) -> Ends:
        """How far a topic partition reaches, as its last fetch said."""
        return self._app.batches.fetched_ends(self._tp(topic, partition))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """The parts of a worker, once all of them are there: its partitions work with them, and it is judged by them.

    `n_partitions`: of each topic. `fuse`: None for the null model, which has nothing to say.
    `recoveries` bounds how many logs are read at once.
    `now_ms`: monotonic.
    `conversions`: what makes transcripts and speech of single events.
    `meter`: what all of them are measured with.
    `counted`: how sure it is that the topics still have `n_partitions`.
    `on_broken`: an error that nobody foresaw; the worker ends, and its successor starts from the log.
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
    """One partition number in one assignment; `starts`: from where each topic (unprefixed) is read.

    `epoch` numbers the assignments of this process, `generation` those of the group. `worker` is unique to this
    owner: a claim in its name is its own. `n_shares`: how many partition numbers the assignment has, among which what
    the worker may hold is shared out.
    """

    epoch: int
    generation: int
    partition: int
    starts: dict[str, Start]
    worker: str
    n_shares: int = 1
