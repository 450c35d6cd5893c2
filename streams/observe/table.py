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
    _metric("consumer_lag", "gauge", "Unread records: last stable offset minus position. Absent while the broker does "
            "not answer.", "topic", "partition"),
    _metric("consumer_lag_seconds", "gauge", "Age of the oldest unread record, at most; 0 if all is read. Absent while "
            "the broker does not answer.", "topic", "partition"),
    _metric("high_watermark_age_seconds", "gauge", "Age of the brokers' last answer about the topics' end offsets."),
    _metric("reading_paused", "gauge", "1 while back-pressure, decoding or recovery pauses a topic partition.",
            "topic", "partition"),
    _metric("records_total", "counter", "Records taken from the media topics.", "modality"),
    _metric("record_outcomes_total", "counter", "Records released, by outcome. Their sum plus held_records is "
            "records_total.", "outcome"),
    _metric("unjudged_total", "counter", "Records that retention deleted before a worker read them.", "modality"),
    _metric("held_records", "gauge", "Records read and not resolved.", "partition"),
    _metric("held_bytes", "gauge", "Memory of the held records.", "partition"),
    _metric("kept_records", "gauge", "What is kept of records resolved after an unresolved one: items for clocks, and "
            "runs of offsets. Eight count as one held record.", "partition"),
    _metric("held_records_limit", "gauge", "Limit of held_records of all partitions together, in equal shares: "
            "above soft, reading is limited; above hard, it stops.", "limit"),
    _metric("held_bytes_limit", "gauge", "Limit of held_bytes of all partitions together, in equal shares: above "
            "soft, reading is limited; above hard, it stops.", "limit"),
    _metric("decode_seconds", "histogram", "Decoding of one record, on the decode threads.", "modality"),
)  # fmt: skip

JOIN = (
    _metric("event_time_lag_seconds", "gauge", "Age of the last read event when it was read, by its event time.",
            "modality"),
    _metric("watermark_lag_seconds", "gauge", "How far the slowest watermark is behind the clock, among streams with "
            "undecided sets.", "modality"),
    _metric("join_pending_sets", "gauge", "Undecided sets, at least."),
    _metric("join_pending_records", "gauge", "Undecided records."),
    _metric("join_pending_bytes", "gauge", "Memory of the undecided records."),
    _metric("join_wait_seconds", "histogram", "From the arrival of a set's first record to its decision."),
    _metric("suspect_pairs_total", "counter", "Sets with a member nearer to the next moment: tolerance_ms is too near "
            "the period."),
    _metric("remembered_lanes", "gauge", "Lanes whose watermark is remembered.", "partition"),
    _metric("remembered_ids", "gauge", "Ids remembered to find duplicates, beside each lane's newest.", "partition"),
    _metric("forgotten_total", "counter", "Lanes and ids forgotten because there were more than max_streams or "
            "max_remembered_ids.", "kind"),
    _metric("source_changes_total", "counter", "Records from another source than the lane's record before."),
)  # fmt: skip

DECISIONS = (
    _metric("decisions_total", "counter", "Decisions read back from the log and carried out.", "kind", "reason"),
    _metric("redone_total", "counter", "Decisions of an earlier owner that were carried out again: a result may be "
            "published twice, with the same id."),
    _metric("void_batches_total", "counter", "Batches of decisions after another worker's claim, which are void."),
    _metric("claims_total", "counter", "Claims of the decision log: own, those that became current; lost, those that "
            "another worker's claim ended.", "owner"),
    _metric("snapshots_total", "counter", "Snapshots written to the decision log."),
    _metric("recovery_seconds", "histogram", "From an assignment to the first read, by partition number."),
)  # fmt: skip

MODEL = (
    _metric("batch_size", "histogram", "Sets in one batch."),
    _metric("batches_total", "counter", "Batches, by why they left.", "reason"),
    _metric("batch_wait_seconds", "histogram", "How long a set waits for its batch to leave."),
    _metric("batch_seconds", "histogram", "One call of the model.", "stage"),
    _metric("batch_failures_total", "counter", "Calls of the model that failed."),
    _metric("inference_queue_depth", "gauge", "Sets waiting for the device."),
    _metric("inference_inflight", "gauge", "Sets on the device."),
    _metric("device_busy_seconds_total", "counter", "Time that the model ran; its rate is the device's load."),
    _metric("device_busy_ratio", "gauge", "Share of the last half minute that the model ran."),
    _metric("model_down_seconds", "gauge", "How long the model has failed on everything; 0 while it answers."),
)

CONVERSION = (
    _metric("conversions_total", "counter", "Events converted, or refused with a reason.", "kind",
            "outcome"),
    _metric("conversion_seconds", "histogram", "From the event's outcome to its conversion: decoding, waiting, "
            "running.", "kind"),
    _metric("converter_batch_seconds", "histogram", "One call of a converter.", "kind"),
    _metric("converter_queue_depth", "gauge", "Events waiting for a converter.", "kind"),
    _metric("converter_busy_seconds_total", "counter", "Time that a converter ran; its rate is its load.", "kind"),
    _metric("converter_down_seconds", "gauge", "How long a converter has failed on everything; 0 while it answers.",
            "kind"),
)  # fmt: skip

OUTPUT = (
    _metric("sets_total", "counter", "Sets whose results, or whose members as dead letters, are on the broker.",
            "outcome"),
    _metric("late_total", "counter", "Records published as unfused because they were late.", "modality"),
    _metric("dropped_total", "counter", "Records published as unfused.", "reason"),
    _metric("dlq_total", "counter", "Records published as dead letters.", "reason"),
    _metric("published_total", "counter", "Records acknowledged by the broker.", "topic"),
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
    _metric("heartbeat_age_seconds", "gauge", "Age of the last heartbeat that the group's coordinator answered."),
    _metric("assignments_total", "counter", "Assignments of partitions; each is a rebalance."),
    _metric("assigned_partitions", "gauge", "Partition numbers that this worker owns."),
    _metric("build", "info", "Version of Syncline, of the wire contract and of Python.", "version", "contract",
            "python"),
    _metric("model", "info", "The model in use.", "name", "version"),
)  # fmt: skip

TABLE: tuple[Metric, ...] = (*READING, *JOIN, *DECISIONS, *MODEL, *CONVERSION, *OUTPUT, *WORKER)
"""In the order in which /metrics shows them."""
