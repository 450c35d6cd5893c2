"""Stops or kills this worker process at a chosen place in the life of a decision, see `interferences.Point`."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from streams.decisions.entries import Batch, LogRecord, decode_entry
from streams.kafka.log import Entries
from streams.kafka.producer import Producer
from streams.partition.decision_log import DecisionLog
from streams.partition.driver import PartitionDriver
from syncline.wire.contract import DECISIONS, FUSED
from tests.support.interferences import Interruption, Point, Switches

log = logging.getLogger(__name__)

_SIGNALS = {"stop": signal.SIGSTOP, "kill": signal.SIGKILL}

Reach = Callable[[Point], None]
"""Say that this process has come to a point; it may not return."""


class _Trigger:
    def __init__(self, interruption: Interruption, switches: Switches) -> None:
        self._interruption, self._switches, self._n_left = interruption, switches, interruption.nth

    def reach(self, point: Point) -> None:
        """Act if this is the time."""
        wanted = self._interruption
        if point != wanted.point or self._n_left <= 0 or not self._switches.is_on(wanted.switch):
            return
        self._n_left -= 1
        if self._n_left:
            return
        if wanted.switch:
            self._switches.turn(wanted.switch, on=False)
            self._n_left = wanted.nth  # it may be turned on again
        log.warning("interference: %s at the point %r", wanted.action, point)
        os.kill(os.getpid(), _SIGNALS[wanted.action])


def interrupt(interruptions: Sequence[Interruption], switches: Switches) -> None:
    """Watch the points of every partition number of this process for these interruptions."""
    if not interruptions:
        return
    triggers = [_Trigger(interruption, switches) for interruption in interruptions]

    def reach(point: Point) -> None:
        for trigger in triggers:
            trigger.reach(point)

    _watch_producer(reach)
    _watch_driver(reach)


def _watch_producer(reach: Reach) -> None:
    send = Producer.send

    async def watched_send(self: Producer, topic: str, partition: int, records: Sequence[Any]) -> int:
        if topic.endswith(DECISIONS) and _has_decisions([LogRecord(0, record.value) for record in records]):
            reach("proposed")
        if topic.endswith(FUSED):
            reach("publishing")
        n_sent = await send(self, topic, partition, records)
        if topic.endswith(FUSED):
            reach("published")
        return n_sent

    Producer.send = watched_send


def _watch_driver(reach: Reach) -> None:
    on_log, read_log = PartitionDriver._on_log, DecisionLog._read

    def watched_on_log(self: PartitionDriver, entries: Entries) -> None:
        if self.owner.state == "owning" and _has_decisions(entries):
            reach("appended")
        on_log(self, entries)

    async def watched_read_log(self: DecisionLog) -> int:
        reach("recovering")
        return await read_log(self)

    PartitionDriver._on_log, DecisionLog._read = watched_on_log, watched_read_log


def _has_decisions(records: Sequence[LogRecord]) -> bool:
    return any(isinstance(decode_entry(record), Batch) for record in records)
