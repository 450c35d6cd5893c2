"""What the drivers of all partition numbers share, and what each of them is assigned."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from models.interface import Fusion, Member
from streams.convert.conversions import Conversions
from streams.kafka.batch_consumer import Ends
from streams.kafka.cluster_watch import Counted
from streams.kafka.consumer_thread import Start
from streams.kafka.log import LogTail
from streams.kafka.producer import Producer
from streams.meter import Meter
from streams.partition.decode import Decoder
from streams.settings import WorkerSettings
from syncline.kafka.cluster import Cluster
from syncline.wire.results import ModelInfo

Fuse = Callable[[Sequence[Member]], Coroutine[Any, Any, Fusion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """The shared parts of a worker. Topics are named without their prefix.

    `n_partitions`: of each topic. `fuse`: None for the null model, which has nothing to say.
    `recoveries` bounds how many logs are read at once.
    `now_ms`: monotonic. `heartbeat`: (generation, when the last heartbeat that succeeded in it was sent).
    `generation`: in which this process is now; another one than an assignment's once the group has forgotten it.
    `hold(epoch, topic, partition, held)`, `resolve(epoch, topic, partition, next_offset)`: to the consumer.
    `fetched_ends(topic, partition)`: as the last fetch said.
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
    heartbeat: Callable[[], tuple[int, int]]
    generation: Callable[[], int]
    hold: Callable[[int, str, int, bool], None]
    resolve: Callable[[int, str, int, int], None]
    fetched_ends: Callable[[str, int], Ends]
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
