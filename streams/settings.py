"""Settings of a worker, as one frozen value that is checked once."""

from __future__ import annotations

import msgspec

from models.converters import Spec, parse_spec
from streams.decisions.tenure import Deployment
from streams.decisions.versions import THIS_VERSION, WRITABLE_VERSIONS
from streams.health.readiness import LagLimits
from streams.join.fingerprint import fingerprint
from streams.join.settings import JoinSettings
from streams.model.batch_settings import BatchSettings
from streams.model.runner import RunnerSettings
from streams.partition.handover_times import HandoverTimes
from syncline.contract import DEFAULT_BROKERS, DEFAULT_GROUP, DEFAULT_PREFIX, MAX_EVENT_BYTES
from syncline.errors import SettingsError
from syncline.security import SecuritySettings, check_addresses

_AT_LEAST = {
    "decode_threads": 1,
    "max_event_bytes": 1,
    "max_fetch_bytes": 1_024,
    "web_port": 0,
    "commit_interval_ms": 10,
    "heartbeat_ms": 10,
    "session_timeout_ms": 100,
    "stop_limit_ms": 100,
    "n_torch_threads": 0,
    "max_run_ms": 1,
    "convert_max_run_ms": 1,
    "max_stall_ms": 1,
    "not_live_exit_ms": 0,
    "ready_max_lag_records": 0,
    "ready_max_lag_ms": 0,
}


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a worker can be told. Times are integer milliseconds, sizes bytes.

    `group`: the consumer group; workers of one group share the streams. `take_over`: the group whose decision log this
    one carries on, where it is gone for good. `decision_log_version`: the form in which the log is written, which every
    worker of the deployment must be able to read (docs/design.md, section 12, "Versions"). `model`: a name in the
    registry or a folder. `web_host`, `web_port`: where /livez and /readyz answer; port 0 is any free one.
    `stop_limit_ms`: when a worker that is told to stop is gone, whatever hangs. `ready_max_lag_*`: not ready while a
    topic's partition is further behind; by default no limit, because readiness paces updates, which a backlog must not
    stop.
    `max_stall_ms`, `not_live_exit_ms`: when a worker is not live, and when it ends for that (docs/operations.md).
    `batch_*`: limits of the model's batcher (streams/batching.py). `convert`: what single events are converted to, each
    `KIND[=ENGINE[:WHERE]]` (models/converters.py), in streams that fit a pattern of `convert_streams` (all without
    any); `convert_max_*`: limits of each converter's batches.
    Raises `SettingsError` with the setting, what it got and what it takes.
    """

    brokers: str = DEFAULT_BROKERS
    security: SecuritySettings = SecuritySettings()
    group: str = DEFAULT_GROUP
    take_over: str = ""
    decision_log_version: str = THIS_VERSION
    topic_prefix: str = DEFAULT_PREFIX
    model: str = "null"
    join: JoinSettings = JoinSettings()
    decode_threads: int = 2
    max_event_bytes: int = MAX_EVENT_BYTES
    max_fetch_bytes: int = 2**20
    web_host: str = "127.0.0.1"
    web_port: int = 0
    commit_interval_ms: int = 500
    heartbeat_ms: int = 1_000
    session_timeout_ms: int = 10_000
    stop_limit_ms: int = 10_000
    n_torch_threads: int = 1
    max_run_ms: int = 60_000
    max_stall_ms: int = 60_000
    not_live_exit_ms: int = 30_000
    ready_max_lag_records: int = 0
    ready_max_lag_ms: int = 0
    batch_max_items: int = 32
    batch_max_cost: int = 16_000_000
    batch_max_wait_ms: int = 0
    convert: tuple[str, ...] = ()
    convert_streams: tuple[str, ...] = ()
    convert_max_items: int = 8
    convert_max_cost: int = 60_000
    convert_max_run_ms: int = 600_000
    log_level: str = "info"

    def __post_init__(self) -> None:
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                raise SettingsError(name, getattr(self, name), f"an integer of at least {least}")
        for name in ("brokers", "group", "model"):
            if not getattr(self, name).strip():
                raise SettingsError(name, getattr(self, name), "a text that is not empty")
        check_addresses(self.brokers)
        if self.web_port > 65_535:
            raise SettingsError("web_port", self.web_port, "0 (any free port) to 65535")
        if self.heartbeat_ms * 3 > self.session_timeout_ms:
            raise SettingsError("heartbeat_ms", self.heartbeat_ms, "at most a third of session_timeout_ms")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise SettingsError("log_level", self.log_level, "debug, info, warning, error")
        if self.decision_log_version not in WRITABLE_VERSIONS:
            raise SettingsError("decision_log_version", self.decision_log_version, ", ".join(WRITABLE_VERSIONS))
        kinds = [spec.kind for spec in self.converters]
        if len(set(kinds)) < len(kinds):
            raise SettingsError("convert", ",".join(self.convert), "each kind once")
        _ = self.runner, self.converter_runner  # check their own part

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
        batch = _batch("batch", self.batch_max_items, self.batch_max_cost, self.batch_max_wait_ms)
        return RunnerSettings(n_torch_threads=self.n_torch_threads, max_run_ms=self.max_run_ms, batch=batch)

    @property
    def converter_runner(self) -> RunnerSettings:
        """How each converter is run."""
        batch = _batch("convert", self.convert_max_items, self.convert_max_cost, 0)
        return RunnerSettings(n_torch_threads=self.n_torch_threads, max_run_ms=self.convert_max_run_ms, batch=batch)


def _batch(prefix: str, max_items: int, max_cost: int, max_wait_ms: int) -> BatchSettings:
    try:
        return BatchSettings(max_items=max_items, max_cost=max_cost, max_wait_ms=max_wait_ms, max_queued=4 * max_items)
    except SettingsError as error:
        raise SettingsError(f"{prefix}_{error.name}", error.got, error.takes) from error
