"""Reads what workers of ours publish, as it comes, into `Outcomes`; and what their group has committed."""

from __future__ import annotations

import time
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.outcomes import Outcomes, record_number
from syncline.wire.contract import DEADLETTER, FUSED, MEDIA_TOPICS, UNFUSED
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.results import decode_fused, decode_unfused

_RESULTS = (FUSED, UNFUSED, DEADLETTER)


class Follower:
    """Follows the three topics in which a record can end. Events are named by their moment, `bench/records.py`."""

    def __init__(self, brokers: str, prefix: str, n_partitions: int, outcomes: Outcomes) -> None:
        self._brokers, self._prefix, self._outcomes = brokers, prefix, outcomes
        self._tps = [TopicPartition(prefix + topic, number) for topic in _RESULTS for number in range(n_partitions)]
        self.last_s = time.monotonic()
        """When the last record came."""

    async def run(self) -> None:
        """Read for ever."""
        consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=self._brokers, auto_offset_reset="earliest", max_partition_fetch_bytes=2**22
        )
        async with consumer:
            consumer.assign(self._tps)
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=500, max_records=2_000)).items():
                    self.last_s = time.monotonic()
                    for record in records:
                        self._take(tp.topic.removeprefix(self._prefix), record)

    def _take(self, topic: str, record: Any) -> None:
        if topic == FUSED:
            result = decode_fused(record.value)
            members = [record_number(int(member.event_id), member.modality) for member in result.members]
            self._outcomes.fused(result.stream, members, result.start_ms)
        elif topic == UNFUSED:
            unfused = decode_unfused(record.value)
            self._outcomes.unfused(record_number(int(unfused.event_id), unfused.modality), unfused.reason)
        else:
            letter = decode_dead_letter(record.key, record.value, record.headers)
            modality = letter.topic.removeprefix("media.")
            self._outcomes.dead_letter(record_number(int((letter.data or b"")[:8]), modality), letter.reason)


async def group_lag(brokers: str, prefix: str, n_partitions: int) -> int:
    """Records of the media topics above what the workers' group has committed."""
    tps = [TopicPartition(prefix + topic, number) for topic in MEDIA_TOPICS for number in range(n_partitions)]
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=prefix + "workers", enable_auto_commit=False)
    async with consumer:
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        return sum([ends[tp] - (await consumer.committed(tp) or 0) for tp in tps])
