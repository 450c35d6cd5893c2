"""Every metric of a worker; tests compare /metrics and docs/operations.md with this list.

Names follow Prometheus: base units (seconds, bytes), `_total` on counters, a histogram's name without suffix. Labels
have few values, all known in advance: never a stream, an id or an error's text.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

PREFIX = "syncline_"
Kind = Literal["counter", "gauge", "histogram", "info"]


class Metric(NamedTuple):
    """One metric, named without prefix, with its unit in the name."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


def _metric(name: str, kind: Kind, text: str, *labels: str) -> Metric:
    return Metric(name, kind, labels, text)


READING = (
    _metric("consumer_lag", "gauge", "Records not read: last stable offset minus position. Absent while the broker "
            "does not answer.", "topic", "partition"),
    _metric("consumer_lag_seconds", "gauge", "Age of the oldest record not read, at most; 0 where all is read. Absent "
            "while the broker does not answer.", "topic", "partition"),
    _metric("high_watermark_age_seconds", "gauge", "Since the brokers last said how far the topics reach."),
    _metric("reading_paused", "gauge", "1 while back-pressure or recovery keeps a topic's partition from being read.",
            "topic", "partition"),
    _metric("records_total", "counter", "Records taken from the media topics.", "modality"),
    _metric("record_outcomes_total", "counter", "Records let go, by what became of them. With held_records they add "
            "up to records_total.", "outcome"),
    _metric("unjudged_total", "counter", "Records that retention deleted before any worker had read them.", "modality"),
    _metric("held_records", "gauge", "Records that were read and are not resolved.", "partition"),
    _metric("held_bytes", "gauge", "Memory of the records that are held.", "partition"),
    _metric("kept_records", "gauge", "What is kept of records resolved behind one that is not: items for clocks, and "
            "runs of offsets. Eight count as one held record.", "partition"),
    _metric("held_records_limit", "gauge", "Limit of held_records of all partitions together, shared out among "
            "them: over soft, reading is rationed; over hard, it stops.", "limit"),
    _metric("held_bytes_limit", "gauge", "Limit of held_bytes of all partitions together, shared out among them: "
            "over soft, reading is rationed; over hard, it stops.", "limit"),
    _metric("decode_seconds", "histogram", "Decoding of one record, on the decode threads.", "modality"),
)  # fmt: skip

JOIN = (
    _metric("event_time_lag_seconds", "gauge", "Age of the event that was read last, by its own time, when it was "
            "read.", "modality"),
    _metric("watermark_lag_seconds", "gauge", "How far the slowest watermark is behind the clock, of the streams in "
            "which something is undecided.", "modality"),
    _metric("join_pending_sets", "gauge", "Sets that are not decided yet, at least."),
    _metric("join_pending_records", "gauge", "Records that are not decided yet."),
    _metric("join_pending_bytes", "gauge", "Memory of the records that are not decided yet."),
    _metric("join_wait_seconds", "histogram", "From the arrival of a set's first record to its decision."),
    _metric("suspect_pairs_total", "counter", "Sets with a member nearer to the next moment: tolerance_ms is too near "
            "the period."),
    _metric("remembered_lanes", "gauge", "Lanes of streams of which the watermark is remembered.", "partition"),
    _metric("remembered_ids", "gauge", "Ids that are remembered beside each lane's newest, to know duplicates by.",
            "partition"),
    _metric("forgotten_total", "counter", "Lanes of streams, and ids, that were forgotten because there were more than "
            "max_streams and max_remembered_ids.", "kind"),
    _metric("source_changes_total", "counter", "Records of a lane that came from another source than the one before."),
)  # fmt: skip

DECISIONS = (
    _metric("decisions_total", "counter", "Decisions read back from the log and carried out.", "kind", "reason"),
    _metric("redone_total", "counter", "Decisions of an earlier owner that were carried out again: a result may be "
            "out twice, with the same id."),
    _metric("void_batches_total", "counter", "Batches of decisions that stand behind another worker's claim and count "
            "for nobody."),
    _metric("claims_total", "counter", "Claims of partitions of the decision log: own, ours that became current; lost, "
            "ours that another worker's ended.", "owner"),
    _metric("snapshots_total", "counter", "Snapshots written to the decision log."),
    _metric("recovery_seconds", "histogram", "From an assignment to the first read, for each partition number."),
)  # fmt: skip

MODEL = (
    _metric("batch_size", "histogram", "Sets in one batch."),
    _metric("batches_total", "counter", "Batches, by why they left.", "reason"),
    _metric("batch_wait_seconds", "histogram", "Wait of a set for its batch to leave."),
    _metric("batch_seconds", "histogram", "One call of the model.", "stage"),
    _metric("batch_failures_total", "counter", "Calls of the model that failed."),
    _metric("inference_queue_depth", "gauge", "Sets that wait for the device."),
    _metric("inference_inflight", "gauge", "Sets on the device."),
    _metric("device_busy_seconds_total", "counter", "Time in which the model ran; its rate is the device's load."),
    _metric("device_busy_ratio", "gauge", "Share of the last half minute in which the model ran."),
    _metric("model_down_seconds", "gauge", "For how long the model has failed on everything; 0 while it answers."),
)

CONVERSION = (
    _metric("conversions_total", "counter", "Events that were converted, or refused with a reason.", "kind",
            "outcome"),
    _metric("conversion_seconds", "histogram", "From the event's outcome to its conversion: decoding, waiting, "
            "running.", "kind"),
    _metric("converter_batch_seconds", "histogram", "One call of a converter.", "kind"),
    _metric("converter_queue_depth", "gauge", "Events that wait for a converter.", "kind"),
    _metric("converter_busy_seconds_total", "counter", "Time in which a converter ran; its rate is its load.", "kind"),
    _metric("converter_down_seconds", "gauge", "For how long a converter has failed on everything; 0 while it "
            "answers.", "kind"),
)  # fmt: skip

OUTPUT = (
    _metric("sets_total", "counter", "Sets whose results, or whose members as dead letters, are on the broker.",
            "outcome"),
    _metric("late_total", "counter", "Records published as unfused because they were late.", "modality"),
    _metric("dropped_total", "counter", "Records published as unfused.", "reason"),
    _metric("dlq_total", "counter", "Records published as dead letters.", "reason"),
    _metric("published_total", "counter", "Records that the broker has acknowledged.", "topic"),
    _metric("publish_seconds", "histogram", "From handing a batch to the producer to the acknowledgement.", "topic"),
    _metric("publish_errors_total", "counter", "Batches that the broker did not acknowledge; they are sent again.",
            "topic"),
    _metric("e2e_latency_seconds", "histogram", "From a fused set's newest event time to the acknowledgement of its "
            "result."),
    _metric("pipeline_latency_seconds", "histogram", "From the broker's append of a fused set's last member to the "
            "acknowledgement of its result."),
)  # fmt: skip

WORKER = (
    _metric("live", "gauge", "1 while /livez says yes."),
    _metric("ready", "gauge", "1 while /readyz says yes."),
    _metric("loop_stall_seconds", "histogram", "How late timers of the event loop are."),
    _metric("heartbeat_age_seconds", "gauge", "Since the last heartbeat that the group's coordinator answered."),
    _metric("assignments_total", "counter", "Assignments of partitions; each is a rebalance."),
    _metric("assigned_partitions", "gauge", "Partition numbers that this worker owns."),
    _metric("build", "info", "Version of Syncline, of the wire contract and of Python.", "version", "contract",
            "python"),
    _metric("model", "info", "The model at work.", "name", "version"),
)  # fmt: skip

TABLE: tuple[Metric, ...] = (*READING, *JOIN, *DECISIONS, *MODEL, *CONVERSION, *OUTPUT, *WORKER)
"""In the order in which /metrics shows them."""
