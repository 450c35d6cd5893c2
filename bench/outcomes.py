"""Tracks each record's outcome in a long run, with about twenty bytes a record, read from the topics as it comes.

Records are numbered `3 * moment + lane`. Outcomes are compared by an 8-byte hash.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from syncline.wire.contract import DEADLETTER, FUSED, MEDIA_TOPICS, MODALITIES, UNFUSED
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.results import decode_fused, decode_unfused

N_LANES = len(MODALITIES)
_NEVER = ("lost", "doubled", "mixed", "out_of_order", "unknown")


def record_number(moment: int, modality: str) -> int:
    """Return a record's number."""
    return moment * N_LANES + MODALITIES.index(modality)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Counts over all records whose delivery the broker acknowledged.

    sent: those records. complete, partial: fused sets. unfused, deadletter: records. lost: records without an outcome.
    doubled: records with two or more different outcomes. torn: moments whose records were all sent and that are not one
    complete set. mixed: sets with records of several moments. repeats: outcomes equal to an earlier one. out_of_order:
    sets first seen after a later one of their stream. unknown: outcomes of records that were not sent.
    """

    sent: int
    complete: int
    partial: int
    unfused: int
    deadletter: int
    lost: int
    doubled: int
    torn: int
    mixed: int
    repeats: int
    out_of_order: int
    unknown: int

    @property
    def violations(self) -> dict[str, int]:
        """Return the counts above 0 that must be 0."""
        return {name: count for name in _NEVER if (count := getattr(self, name))}

    def export(self) -> dict[str, int]:
        """As plain values."""
        return asdict(self)


class Outcomes:
    """Collects sent records and their outcomes, in any order."""

    def __init__(self, n_moments: int) -> None:
        self._sent = np.zeros(n_moments * N_LANES, np.bool_)
        self._has_outcome = np.zeros(n_moments * N_LANES, np.bool_)
        self._doubled = np.zeros(n_moments * N_LANES, np.bool_)
        self._whole = np.zeros(n_moments, np.bool_)
        self._newest_ms: dict[str, int] = {}
        self._said: set[int] = set()
        self._counts = dict.fromkeys(
            ("complete", "partial", "unfused", "deadletter", "mixed", "repeats", "out_of_order", "unknown"), 0
        )
        self.n_sent = self.n_decided = 0
        """Sent records, and records with an outcome: equal at the end."""

    def sent(self, record: int) -> None:
        """Note a delivered record."""
        self._sent[record] = True
        self.n_sent += 1

    def fused(self, stream: str, records: Sequence[int], start_ms: int) -> None:
        """Note a result with these records as members, which starts at `start_ms`."""
        if not self._is_new("fused", records):
            return
        moments = {record // N_LANES for record in records}
        whole = len(records) == N_LANES
        self._counts["complete" if whole else "partial"] += 1
        self._counts["mixed"] += len(moments) > 1
        self._counts["out_of_order"] += start_ms < self._newest_ms.get(stream, start_ms)
        self._newest_ms[stream] = max(start_ms, self._newest_ms.get(stream, start_ms))
        if whole and len(moments) == 1:
            self._whole[moments.pop()] = True

    def unfused(self, record: int, reason: str) -> None:
        """Note a record published as unfused."""
        self._counts["unfused"] += self._is_new(f"unfused {reason}", (record,))

    def dead_letter(self, record: int, reason: str) -> None:
        """Note a record published as a dead letter."""
        self._counts["deadletter"] += self._is_new(f"deadletter {reason}", (record,))

    def _is_new(self, what: str, records: Sequence[int]) -> bool:
        outcome = int.from_bytes(blake2b(f"{what} {sorted(records)}".encode(), digest_size=8).digest())
        if outcome in self._said:
            self._counts["repeats"] += 1
            return False
        self._said.add(outcome)
        for record in records:
            if not 0 <= record < len(self._sent):
                self._counts["unknown"] += 1
            elif self._has_outcome[record]:
                self._doubled[record] = True
            else:
                self._has_outcome[record] = True
                self.n_decided += 1
        return True

    def judge(self) -> Judged:
        """Return all counts."""
        whole_sent = self._sent.reshape(-1, N_LANES).all(axis=1)
        unknown = self._counts["unknown"] + int((self._has_outcome & ~self._sent).sum())
        return Judged(
            **self._counts | {"unknown": unknown},
            sent=int(self._sent.sum()),
            lost=int((self._sent & ~self._has_outcome).sum()),
            doubled=int(self._doubled.sum()),
            torn=int((whole_sent & ~self._whole).sum()),
        )


_RESULTS = (FUSED, UNFUSED, DEADLETTER)


class Follower:
    """Follows the three topics with outcomes. Events are named by their moment (`bench/records.py`)."""

    def __init__(self, brokers: str, prefix: str, n_partitions: int, outcomes: Outcomes) -> None:
        self._brokers, self._prefix, self._outcomes = brokers, prefix, outcomes
        self._tps = [TopicPartition(prefix + topic, number) for topic in _RESULTS for number in range(n_partitions)]
        self.last_s = time.monotonic()
        """The time of the last record."""

    async def run(self) -> None:
        """Read until cancelled."""
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
    """Count the media records above the workers' committed offsets."""
    tps = [TopicPartition(prefix + topic, number) for topic in MEDIA_TOPICS for number in range(n_partitions)]
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=prefix + "workers", enable_auto_commit=False)
    async with consumer:
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        return sum([ends[tp] - (await consumer.committed(tp) or 0) for tp in tps])
