"""Settings of a worker, as one frozen value that is checked once."""

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
    """For `syncline worker`; `verify` and `explain` take the same, to judge by what the workers had.

    Raises `SettingsError` with the setting, what it got and what it takes.
    """

    take_over: Annotated[
        str, Meta(description="Carry on the decision log of this consumer group, which is gone for good.")
    ] = ""
    decision_log_version: Annotated[
        WritableVersion,
        Meta(
            description="Form of the decision log, which every worker of the deployment must read; 1.2 while older "
            "workers may come back (docs/design.md, section 12)."
        ),
    ] = THIS_VERSION
    model: Annotated[
        str, NotEmpty, Meta(description="null (joins only), a name that `syncline model list` shows, or a folder.")
    ] = "null"
    join: JoinSettings = JoinSettings()
    decode_threads: Annotated[int, Meta(ge=1, description="Threads that decode media.")] = 2
    max_fetch_bytes: Annotated[int, Meta(ge=1_024, description="Most that one fetch reads of a topic partition.")] = (
        2**20
    )
    web_host: Annotated[str, Meta(description="Address at which /livez, /readyz and /metrics answer.")] = "127.0.0.1"
    web_port: Annotated[
        int, Meta(ge=0, le=65_535, description="Port of that address; 0 is any free one, which the log names.")
    ] = 0
    commit_interval_ms: Annotated[int, Meta(ge=10, description="Time between two commits of offsets.")] = 500
    heartbeat_ms: Annotated[
        int,
        Meta(
            ge=10,
            description="Time between two heartbeats to the consumer group; at most a third of the session timeout.",
        ),
    ] = 1_000
    session_timeout_ms: Annotated[
        int, Meta(ge=100, description="A worker without a heartbeat for so long loses its streams to others.")
    ] = 10_000
    stop_limit_ms: Annotated[
        int, Meta(ge=100, description="Time from SIGTERM until the process ends, finished or not.")
    ] = 10_000
    n_torch_threads: Annotated[
        int, Meta(ge=0, description="Threads inside one forward; 0 is torch's choice, for a worker alone on a machine.")
    ] = 1
    max_run_ms: Annotated[
        int, Meta(ge=1, description="A model's batch that runs for longer hangs: the worker is not live.")
    ] = 60_000
    max_stall_ms: Annotated[
        int, Meta(ge=1, description="A part that has work and does none for longer makes the worker not live.")
    ] = 60_000
    not_live_exit_ms: Annotated[
        int, Meta(ge=0, description="A worker that is not live for so long ends, to be started anew; 0 is never.")
    ] = 30_000
    ready_max_lag_records: Annotated[
        int, Meta(ge=0, description="Not ready while a topic partition is more records behind; 0 is no limit.")
    ] = 0
    ready_max_lag_ms: Annotated[
        int, Meta(ge=0, description="Not ready while a partition's oldest unread record is older; 0 is no limit.")
    ] = 0
    batch_max_items: Annotated[int, Meta(ge=1, description="Most sets in one batch for the model.")] = 32
    batch_max_cost: Annotated[
        int, Meta(ge=1, description="Most that one batch may cost: pixels + milliseconds of sound + tokens.")
    ] = 16_000_000
    batch_max_wait_ms: Annotated[
        int, Meta(ge=0, description="How long a batch waits for more sets while the model is free.")
    ] = 0
    convert: Annotated[
        tuple[str, ...],
        Meta(
            description="What single events become: transcript, speech, each as KIND[=ENGINE[:WHERE]].",
            examples=[("transcript", "speech=piper")],
        ),
    ] = ()
    convert_streams: Annotated[
        tuple[str, ...],
        Meta(
            description="Only streams that match one of these patterns are converted; all where there is none.",
            examples=[("lobby-*", "hall")],
        ),
    ] = ()
    convert_max_items: Annotated[int, Meta(ge=1, description="Most events in one batch for a converter.")] = 8
    convert_max_cost: Annotated[
        int, Meta(ge=1, description="Most sound in one batch for a converter, in milliseconds.")
    ] = 60_000
    convert_max_run_ms: Annotated[
        int, Meta(ge=1, description="A converter's batch that runs for longer hangs: the worker is not live.")
    ] = 600_000
    log_level: Annotated[LogLevel, Meta(description="What is logged.")] = "info"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heartbeat_ms * 3 > self.session_timeout_ms:
            raise SettingsError("heartbeat_ms", self.heartbeat_ms, "at most a third of session_timeout_ms")
        kinds = [spec.kind for spec in self.converters]
        if len(set(kinds)) < len(kinds):
            raise SettingsError("convert", ",".join(self.convert), "each kind once")

    def deployment(self, n_partitions: int) -> Deployment:
        """What the claims of this worker say of it; `n_partitions` of each topic."""
        return Deployment(self.group, self.take_over, fingerprint(self.join, self.max_event_bytes), n_partitions)

    @property
    def lag_limits(self) -> LagLimits:
        """Above which the worker is not ready."""
        return LagLimits(self.ready_max_lag_records, self.ready_max_lag_ms)

    @property
    def handover(self) -> HandoverTimes:
        """How long giving partitions away at a rebalance may take; the group waits for one session timeout."""
        return HandoverTimes.within(self.session_timeout_ms, self.heartbeat_ms)

    @property
    def converters(self) -> list[Spec]:
        """What single events are converted to, and by what."""
        return [parse_spec(text) for text in self.convert]

    @property
    def runner(self) -> RunnerSettings:
        """How the model is run."""
        return self._runner(self.max_run_ms, self.batch_max_items, self.batch_max_cost, self.batch_max_wait_ms)

    @property
    def converter_runner(self) -> RunnerSettings:
        """How each converter is run."""
        return self._runner(self.convert_max_run_ms, self.convert_max_items, self.convert_max_cost, 0)

    def _runner(self, max_run_ms: int, max_items: int, max_cost: int, max_wait_ms: int) -> RunnerSettings:
        batch = BatchSettings(max_items=max_items, max_cost=max_cost, max_wait_ms=max_wait_ms, max_queued=4 * max_items)
        return RunnerSettings(n_torch_threads=self.n_torch_threads, max_run_ms=max_run_ms, batch=batch)


class HandoverTimes(NamedTuple):
    """Seconds: for carrying out what is decided; beyond that, for what was handed to the producer and the snapshot;
    for the commit with which an assignment ends."""

    carry_out_s: float = 2.0
    settle_s: float = 1.0
    commit_s: float = 1.0

    @classmethod
    def within(cls, rebalance_timeout_ms: int, heartbeat_ms: int) -> HandoverTimes:
        """As much as there is, of the usual times.

        rebalance_timeout_ms: whoever has not come back by then is thrown out, in the midst of its handover. Up to
        `heartbeat_ms` of it are over before a worker hears of the rebalance; a tenth is for coming back.
        """
        usual = cls()
        share = min(1.0, (0.9 * rebalance_timeout_ms - heartbeat_ms) / 1_000 / sum(usual))
        return cls(*(time_s * share for time_s in usual))


class LagLimits(NamedTuple):
    """Above which a worker is not ready, for each topic's partition; 0 is no limit."""

    max_records: int = 0
    max_age_ms: int = 0
