"""Settings of a worker, as one frozen value that is checked once, and a line of help for each."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from models.registry import Spec, parse_spec
from streams.decisions.entries import THIS_VERSION, WRITABLE_VERSIONS
from streams.decisions.ownership import Deployment
from streams.inference.batcher import BatchSettings
from streams.inference.runner import RunnerSettings
from streams.join.settings import JoinSettings, fingerprint
from syncline.errors import SettingsError
from syncline.kafka.security import SECURITY_HELP, SecuritySettings, check_addresses
from syncline.wire.contract import DEFAULT_BROKERS, DEFAULT_GROUP, DEFAULT_PREFIX, MAX_EVENT_BYTES

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
    `batch_*`: limits of the model's batcher (streams/inference/batcher.py). `convert`: what single events are converted
    to, each
    `KIND[=ENGINE[:WHERE]]` (models/registry.py), in streams that fit a pattern of `convert_streams` (all without
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


HELP = {
    "brokers": "Bootstrap addresses, host:port,host:port.",
    "group": "Consumer group; workers of one group share the streams.",
    "take_over": "Carry on the decision log of this consumer group, which is gone for good.",
    "decision_log_version": "Form in which decisions are written: 1.2 while workers of before may come back, 1.3.",
    "topic_prefix": "In front of every topic's name.",
    "model": "null, a name that `syncline model list` shows, or a folder.",
    "decode_threads": "Threads that decode media.",
    "max_event_bytes": "Largest value of a media record, bytes; larger ones are dead letters.",
    "max_fetch_bytes": "Fetched of one topic partition at a time, bytes.",
    "web_host": "Address at which /livez, /readyz and /metrics answer.",
    "web_port": "Their port; 0 is any free one, which the log names.",
    "commit_interval_ms": "Between two commits of offsets, ms.",
    "heartbeat_ms": "Between two heartbeats to the group, ms.",
    "session_timeout_ms": "Without a heartbeat for so long a worker's streams go to others, ms.",
    "stop_limit_ms": "At SIGTERM the process is gone after at most so long, ms.",
    "n_torch_threads": "Threads inside one forward; 0 is torch's own choice, for a worker alone on its machine.",
    "max_run_ms": "A batch that runs for longer hangs: the worker is not live, ms.",
    "max_stall_ms": "A part that has work and does none for longer makes the worker not live, ms.",
    "not_live_exit_ms": "A worker that is not live for so long ends, to be started anew, ms; 0 is never.",
    "ready_max_lag_records": "Not ready while a topic's partition is more records behind; 0 is no limit.",
    "ready_max_lag_ms": "Not ready while the oldest unread record of a partition is older, ms; 0 is no limit.",
    "batch_max_items": "Sets in one batch for the model.",
    "batch_max_cost": "Cost of one batch: pixels + audio ms + tokens.",
    "batch_max_wait_ms": "How long a batch waits for more sets, ms.",
    "convert": "What single events become: transcript, speech, or KIND=ENGINE:WHERE, with commas between.",
    "convert_streams": "Only streams that fit one of these patterns are converted: lobby-*,hall; all without any.",
    "convert_max_items": "Events in one batch for a converter.",
    "convert_max_cost": "Sound in one batch for a converter, ms.",
    "convert_max_run_ms": "A converter's batch that runs for longer hangs: the worker is not live, ms.",
    "log_level": "debug, info, warning, error.",
    "strategy": "How sets are formed: earliest, nearest, tumbling.",
    "lanes": "What a set waits for: LANE or LANE:MODALITY, with commas between.",
    "lanes_by_stream": "The same by stream-name pattern: lobby-*=image,text;hall-*=left:image,text.",
    "tolerance_ms": "How far apart members of one set may be, ms.",
    "out_of_order_ms": "By lane, how far events may be out of order, ms: image=100,text=50.",
    "offset_ms": "By lane, added to event time, ms: audio=-120.",
    "max_wait_ms": "How long a set waits for a silent lane, ms.",
    "pivot": "nearest: the lane that gets one set an item.",
    "share": "nearest: an item may serve several pivots.",
    "size_ms": "tumbling: the window's length, ms.",
    "max_set_bytes": "tumbling: a window with more (64 bytes an event, and its names) gives several sets.",
    "require": "Lanes without which a set is not fused.",
    "stream_ttl_ms": "A silent lane of a stream is forgotten after so long, ms.",
    "max_ahead_ms": "An event further ahead of the broker's clock is a dead letter, ms.",
    "max_held_events": "Soft limit of records held by a worker, shared out among its partition numbers.",
    "max_held_bytes": "Soft limit of their bytes, for the whole worker too: values, headers, decoded media, all.",
    "hard_limit_factor": "Hard limits are the soft ones times this.",
    "max_streams": "Streams remembered of one partition number; beyond, the one silent for longest is forgotten.",
    "max_remembered_ids": "Ids remembered of one partition number to know duplicates by, beside each lane's newest.",
    **SECURITY_HELP,
}
"""By setting's name; every one has its line: a test."""


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
