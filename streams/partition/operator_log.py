"""What an operator must hear of one partition number: what is gone, and what is forgotten."""

from __future__ import annotations

import logging

from streams.decisions.owner import PartitionOwner
from streams.join.settings import JoinSettings
from streams.kafka.consumer_thread import Deleted, Start
from streams.meter import Meter

log = logging.getLogger(__name__)


def tell_deleted(partition: int, owner: PartitionOwner, topic: str, name: str, deleted: Deleted) -> int:
    """Say that retention took records before they were read; how many of them no decision names.

    `topic` is unprefixed, `name` is its full name. A mark that ended a transaction counts as a record.
    """
    n_unjudged = owner.execution.n_unjudged(topic, deleted.start, deleted.stop)
    log.error(
        "%s, partition %d: offsets %d to %d were deleted before they were read; the committed offset is %d, the "
        "earliest one is %d. %d records were judged by nobody: they have no outcome and will have none. Give %s a "
        "retention (retention.ms, retention.bytes) that is longer than workers may be away or behind",
        name, partition, deleted.start, deleted.stop - 1, owner.in_flight.acknowledged[topic], deleted.stop, n_unjudged,
        name,
    )  # fmt: skip
    return n_unjudged


def tell_grown(partition: int, n_partitions: int) -> None:
    """Say that this partition number holds records of before its topics grew."""
    log.info(
        "partition %d: the topics have %d partitions now; what lies here already may have been placed by the number "
        "of before, and is in its place by either",
        partition, n_partitions,
    )  # fmt: skip


def tell_fresh(partition: int, owner: PartitionOwner, prefix: str, starts: dict[str, Start]) -> None:
    """Say that the log knows records of topics of which no offset is committed: a group that was deleted, or expired.

    Also after a worker that was killed before its first commit.
    """
    for topic, start in sorted(starts.items()):
        n_known = owner.execution.n_awaited(topic) if start.committed is None else 0
        if n_known:
            log.warning(
                "%s, partition %d: no offset is committed, and the decision log holds decisions on %d of its records: "
                "it is read from offset %d; what was decided stands, and is published again where it must be",
                prefix + topic, partition, n_known, start.offset,
            )  # fmt: skip


def tell_forgotten(partition: int, meter: Meter, join: JoinSettings) -> None:
    """Say that more streams or ids come than are remembered: each once a worker, the metric counts on."""
    for kind in meter.counters.forgotten.keys() - meter.told:
        meter.told.add(kind)
        if kind == "lanes":
            log.warning(
                "partition %d: more than max_streams=%d streams within stream_ttl_ms=%d: those silent for longest are "
                "forgotten, and a late record or a duplicate of one is not known as such when it comes again",
                partition, join.max_streams, join.stream_ttl_ms,
            )  # fmt: skip
        else:
            log.warning(
                "partition %d: more than max_remembered_ids=%d ids at or above the watermarks: the oldest of the lanes "
                "with most are forgotten, and a duplicate of one is not known as such. Does the clock of a source "
                "stand still, or is out_of_order_ms longer than needed?",
                partition, join.max_remembered_ids,
            )  # fmt: skip
