"""Judges a worker's run from the topics alone: what became of each record, and what was said twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from syncline.kafka.client import stop_consumer
from syncline.wire.contract import DEADLETTER, FUSED, MODALITIES, UNFUSED
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.results import FusedResult, decode_fused, decode_unfused
from tests.support.moments import Sent

Key = tuple[str, int, int]
"""(unprefixed topic, partition, offset) of a media record."""


@dataclass
class Outcomes:
    """What was read so far from the three topics in which a record can end."""

    by_record: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    """`fused ID`, `unfused REASON`, `deadletter REASON`: all that was said of a record."""
    fused: dict[str, FusedResult] = field(default_factory=dict[str, FusedResult])
    n_times: Counter[str] = field(default_factory=Counter[str])
    """How often each fused result was published."""
    n_repeats: int = 0
    differing: list[tuple[FusedResult, FusedResult]] = field(default_factory=list[tuple[FusedResult, FusedResult]])
    order: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By stream, `start_ms` of its results as they were first published."""

    def take(self, topic: str, record: Any) -> None:
        """Count one record of a result topic."""
        if topic == FUSED:
            self._take_fused(decode_fused(record.value))
        elif topic == UNFUSED:
            unfused = decode_unfused(record.value)
            self.by_record[unfused.topic, unfused.partition, unfused.offset].add(f"unfused {unfused.reason}")
        else:
            letter = decode_dead_letter(record.key, record.value, record.headers)
            self.by_record[letter.topic, letter.partition, letter.offset].add(f"deadletter {letter.reason}")

    def _take_fused(self, result: FusedResult) -> None:
        known = self.fused.setdefault(result.id, result)
        self.n_times[result.id] += 1
        if known is result:
            self.order[result.stream].append(result.start_ms)
        else:
            self.n_repeats += 1
            same = ("members", "missing", "outcome", "reason", "stream", "start_ms")
            if any(getattr(known, name) != getattr(result, name) for name in same):
                self.differing.append((known, result))
        for member in result.members:
            self.by_record[member.topic, member.partition, member.offset].add(f"fused {result.id}")

    def undecided(self, sent: Sent) -> int:
        """How many of the sent records nothing was said of yet."""
        return len(sent.records.keys() - self.by_record.keys())

    def kinds(self) -> Counter[str]:
        """How many records ended in which way, sets without their id."""
        return Counter(" | ".join(sorted(_kind(what) for what in ends)) for ends in self.by_record.values())

    def violations(self, sent: Sent) -> list[str]:
        """What must never be, in words."""
        found = [f"{key} ended {sorted(ends)}" for key, ends in self.by_record.items() if len(ends) != 1]
        found += [f"{key} has no outcome" for key in sent.records.keys() - self.by_record.keys()]
        found += [f"{key} was never sent" for key in self.by_record.keys() - sent.records.keys()]
        found += [f"{stream} is out of order: {at}" for stream, at in self.order.items() if at != sorted(at)]
        found += [f"said differently: {first} and {second}" for first, second in self.differing]
        for result in self.fused.values():
            together = {sent.records[m.topic, m.partition, m.offset].moment for m in result.members}
            if len(together) > 1:
                found.append(f"{result.id} mixes the moments {sorted(together)}")
        return found

    def n_torn(self, sent: Sent) -> int:
        """How many moments, all of whose records were sent, did not come out as one complete set."""
        whole = {moment for moment, n_records in sent.complete_moments().items() if n_records == len(MODALITIES)}
        complete = {
            sent.records[r.members[0].topic, r.members[0].partition, r.members[0].offset].moment
            for r in self.fused.values()
            if r.outcome == "complete"
        }
        return len(whole - complete)


def _kind(what: str) -> str:
    return "fused" if what.startswith("fused") else what


class Reader:
    """Reads the result topics from their start, as they grow; an async context manager."""

    def __init__(self, brokers: str, prefix: str, n_partitions: int) -> None:
        self._prefix = prefix
        self._consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=brokers, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        self._tps = [TopicPartition(prefix + t, p) for t in (FUSED, UNFUSED, DEADLETTER) for p in range(n_partitions)]
        self.outcomes = Outcomes()

    async def __aenter__(self) -> Reader:
        await self._consumer.start()
        self._consumer.assign(self._tps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await stop_consumer(self._consumer)

    async def read_until(self, done: Callable[[Outcomes], bool], limit_s: float) -> Outcomes:
        """Read until `done` says so; fails with what is there after `limit_s`."""
        deadline_s = time.monotonic() + limit_s
        while not done(self.outcomes):
            if time.monotonic() > deadline_s:
                raise AssertionError(f"not done after {limit_s} s: {self.outcomes.kinds()}")
            await self.read_some()
        return self.outcomes

    async def read_some(self, wait_ms: int = 100) -> int:
        """Read what is there; how many records that was."""
        batches = await self._consumer.getmany(timeout_ms=wait_ms)
        for tp, records in batches.items():
            for record in records:
                self.outcomes.take(tp.topic.removeprefix(self._prefix), record)
        await asyncio.sleep(0)
        return sum(len(records) for records in batches.values())

    async def read_rest(self, quiet_s: float = 1.5) -> Outcomes:
        """Read until nothing has come for `quiet_s`: repeats that come late are judged too."""
        last_s = time.monotonic()
        while time.monotonic() - last_s < quiet_s:
            if await self.read_some():
                last_s = time.monotonic()
        return self.outcomes
