"""Log lines for operators about one partition number: deleted and forgotten records."""

from __future__ import annotations

import logging

from streams.decisions.owner import PartitionOwner
from streams.join.settings import JoinSettings
from streams.kafka.consumer_thread import Deleted, Start
from streams.meter import Meter

log = logging.getLogger(__name__)


def tell_deleted(partition: int, owner: PartitionOwner, topic: str, name: str, deleted: Deleted) -> int:
    """Log that retention deleted records before they were read; return how many of them no decision names.

    `topic` is without prefix, `name` is the full name. A marker that ended a transaction counts as a record.
    """
    n_unjudged = owner.execution.n_unjudged(topic, deleted.start, deleted.stop)
    log.error(
        "%s, partition %d: offsets %d to %d were deleted before they were read; the committed offset is %d, the "
        "earliest is %d. %d records were never judged and will have no outcome. Give %s a retention (retention.ms, "
        "retention.bytes) longer than workers may be away or behind",
        name, partition, deleted.start, deleted.stop - 1, owner.in_flight.acknowledged[topic], deleted.stop, n_unjudged,
        name,
    )  # fmt: skip
    return n_unjudged


def tell_grown(partition: int, n_partitions: int) -> None:
    """Log that this partition number has records from before its topics grew."""
    log.info(
        "partition %d: the topics have %d partitions now; records sent before may be placed by the former number, "
        "and are accepted by either",
        partition, n_partitions,
    )  # fmt: skip


def tell_fresh(partition: int, owner: PartitionOwner, prefix: str, starts: dict[str, Start]) -> None:
    """Log that the decision log has decisions although no offset is committed.

    The group was deleted or expired, or a worker was killed before its first commit.
    """
    for topic, start in sorted(starts.items()):
        n_known = owner.execution.n_awaited(topic) if start.committed is None else 0
        if n_known:
            log.warning(
                "%s, partition %d: no offset is committed, and the decision log holds decisions on %d of its records: "
                "it is read from offset %d; the decisions stand, and are published again where needed",
                prefix + topic, partition, n_known, start.offset,
            )  # fmt: skip


def tell_forgotten(partition: int, meter: Meter, join: JoinSettings) -> None:
    """Log once a worker and kind that more streams or ids come than are remembered; the metric counts all."""
    for kind in meter.counters.forgotten.keys() - meter.told:
        meter.told.add(kind)
        if kind == "lanes":
            log.warning(
                "partition %d: more than max_streams=%d streams within stream_ttl_ms=%d: the longest silent ones are "
                "forgotten, and late records and duplicates of theirs are not recognised",
                partition, join.max_streams, join.stream_ttl_ms,
            )  # fmt: skip
        else:
            log.warning(
                "partition %d: more than max_remembered_ids=%d ids at or above the watermarks: the oldest ids of the "
                "largest lanes are forgotten, and their duplicates are not recognised. Does a source's clock stand "
                "still, or is out_of_order_ms longer than needed?",
                partition, join.max_remembered_ids,
            )  # fmt: skip
