"""The settings of a worker: one frozen value, checked once."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from models.registry import Spec, parse_spec
from streams.decisions.entries import THIS_VERSION, WritableVersion
from streams.decisions.ownership import Deployment
from streams.inference.batcher import BatchSettings
from streams.inference.runner import RunnerSettings
from streams.join.settings import JoinSettings, fingerprint
from syncline.errors import SettingsError
from syncline.kafka.settings import ClientSettings
from syncline.settings.definition import NotEmpty

LogLevel = Literal["debug", "info", "warning", "error"]


class WorkerSettings(ClientSettings, frozen=True, kw_only=True):
    """Settings of `syncline worker`; `verify` and `explain` take the same, to judge by the workers' settings.

    Raises:
        SettingsError: a setting is wrong; with what it got and what it takes.
    """

    take_over: Annotated[
        str, Meta(description="Continue the decision log of this consumer group, which must never run again.")
    ] = ""
    decision_log_version: Annotated[
        WritableVersion,
        Meta(
            description="Format of the decision log, which every worker of the deployment must be able to read; 1.2 "
            "while older workers may return (docs/design.md, section 12)."
        ),
    ] = THIS_VERSION
    model: Annotated[
        str, NotEmpty, Meta(description="null (joins only), a name from `syncline model list`, or a folder.")
    ] = "null"
    join: JoinSettings = JoinSettings()
    decode_threads: Annotated[int, Meta(ge=1, description="Threads that decode media.")] = 2
    max_fetch_bytes: Annotated[int, Meta(ge=1_024, description="Size limit of one fetch from a topic partition.")] = (
        2**20
    )
    web_host: Annotated[str, Meta(description="Address of /livez, /readyz and /metrics.")] = "127.0.0.1"
    web_port: Annotated[
        int, Meta(ge=0, le=65_535, description="Port of that address; 0 takes any free port, which is logged.")
    ] = 0
    commit_interval_ms: Annotated[int, Meta(ge=10, description="Time between commits of offsets.")] = 500
    heartbeat_ms: Annotated[
        int,
        Meta(
            ge=10,
            description="Time between heartbeats to the consumer group; at most a third of session_timeout_ms.",
        ),
    ] = 1_000
    session_timeout_ms: Annotated[
        int, Meta(ge=100, description="A worker without a heartbeat for this long loses its streams to others.")
    ] = 10_000
    stop_limit_ms: Annotated[
        int, Meta(ge=100, description="Time from SIGTERM until the process ends, finished or not.")
    ] = 10_000
    n_torch_threads: Annotated[
        int,
        Meta(ge=0, description="Threads of one forward pass; 0 leaves it to torch, for a worker alone on its machine."),
    ] = 1
    max_run_ms: Annotated[int, Meta(ge=1, description="While a model's batch runs longer, the worker is not live.")] = (
        60_000
    )
    max_stall_ms: Annotated[
        int, Meta(ge=1, description="While a part with work has made no progress for longer, the worker is not live.")
    ] = 60_000
    not_live_exit_ms: Annotated[
        int, Meta(ge=0, description="A worker that is not live for this long exits, to be restarted; 0: never.")
    ] = 30_000
    ready_max_lag_records: Annotated[
        int, Meta(ge=0, description="Not ready while a topic partition is more records behind; 0: no limit.")
    ] = 0
    ready_max_lag_ms: Annotated[
        int, Meta(ge=0, description="Not ready while a partition's oldest unread record is older; 0: no limit.")
    ] = 0
    batch_max_items: Annotated[int, Meta(ge=1, description="Limit of sets in one batch of the model.")] = 32
    batch_max_cost: Annotated[
        int, Meta(ge=1, description="Limit of a batch's cost: pixels + milliseconds of sound + tokens.")
    ] = 16_000_000
    batch_max_wait_ms: Annotated[
        int, Meta(ge=0, description="How long a batch waits for more sets while the model is free.")
    ] = 0
    convert: Annotated[
        tuple[str, ...],
        Meta(
            description="What to make of single events: transcript, speech, each as KIND[=ENGINE[:WHERE]].",
            examples=[("transcript", "speech=piper")],
        ),
    ] = ()
    convert_streams: Annotated[
        tuple[str, ...],
        Meta(
            description="Convert only streams that match one of these patterns; without patterns all.",
            examples=[("lobby-*", "hall")],
        ),
    ] = ()
    convert_max_items: Annotated[int, Meta(ge=1, description="Limit of events in one batch of a converter.")] = 8
    convert_max_cost: Annotated[
        int, Meta(ge=1, description="Limit of sound in one batch of a converter, in milliseconds.")
    ] = 60_000
    convert_max_run_ms: Annotated[
        int, Meta(ge=1, description="While a converter's batch runs longer, the worker is not live.")
    ] = 600_000
    log_level: Annotated[LogLevel, Meta(description="The least severe level that is logged.")] = "info"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heartbeat_ms * 3 > self.session_timeout_ms:
            raise SettingsError("heartbeat_ms", self.heartbeat_ms, "at most a third of session_timeout_ms")
        kinds = [spec.kind for spec in self.converters]
        if len(set(kinds)) < len(kinds):
            raise SettingsError("convert", ",".join(self.convert), "each kind once")

    def deployment(self, n_partitions: int) -> Deployment:
        """Return what this worker's claims say about it; `n_partitions`: of each topic."""
        return Deployment(self.group, self.take_over, fingerprint(self.join, self.max_event_bytes), n_partitions)

    @property
    def lag_limits(self) -> LagLimits:
        """The lag above which the worker is not ready."""
        return LagLimits(self.ready_max_lag_records, self.ready_max_lag_ms)

    @property
    def handover(self) -> HandoverTimes:
        """The time limits of a handover at a rebalance; the group waits for one session timeout."""
        return HandoverTimes.within(self.session_timeout_ms, self.heartbeat_ms)

    @property
    def converters(self) -> list[Spec]:
        """The converters to open."""
        return [parse_spec(text) for text in self.convert]

    @property
    def runner(self) -> RunnerSettings:
        """The settings of the model's runner."""
        return self._runner(self.max_run_ms, self.batch_max_items, self.batch_max_cost, self.batch_max_wait_ms)

    @property
    def converter_runner(self) -> RunnerSettings:
        """The settings of each converter's runner."""
        return self._runner(self.convert_max_run_ms, self.convert_max_items, self.convert_max_cost, 0)

    def _runner(self, max_run_ms: int, max_items: int, max_cost: int, max_wait_ms: int) -> RunnerSettings:
        batch = BatchSettings(max_items=max_items, max_cost=max_cost, max_wait_ms=max_wait_ms, max_queued=4 * max_items)
        return RunnerSettings(n_torch_threads=self.n_torch_threads, max_run_ms=max_run_ms, batch=batch)


class HandoverTimes(NamedTuple):
    """Time limits of a handover.

    Attributes:
        carry_out_s (float): for carrying out decisions, s. Default 2.0.
        settle_s (float): after that, for the producer and for the snapshot, s each. Default 1.0.
        commit_s (float): for the last commit of the assignment, s. Default 1.0.
    """

    carry_out_s: float = 2.0
    settle_s: float = 1.0
    commit_s: float = 1.0

    @classmethod
    def within(cls, rebalance_timeout_ms: int, heartbeat_ms: int) -> HandoverTimes:
        """Return the default times, shortened to fit into a rebalance.

        After `rebalance_timeout_ms` the group removes members that have not rejoined. A worker learns of the rebalance
        up to `heartbeat_ms` late, and a tenth of the timeout is left for rejoining.
        """
        usual = cls()
        share = min(1.0, (0.9 * rebalance_timeout_ms - heartbeat_ms) / 1_000 / sum(usual))
        return cls(*(time_s * share for time_s in usual))


class LagLimits(NamedTuple):
    """Limits of a topic partition's lag, above which a worker is not ready; 0: no limit."""

    max_records: int = 0
    max_age_ms: int = 0
