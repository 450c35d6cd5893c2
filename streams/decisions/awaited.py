"""Confirmed decisions whose records have not come yet, as after a crash."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from streams.decisions.entries import Key, is_dead_letter
from streams.decisions.records import Task
from streams.decisions.resolved import NOT_NAMED
from streams.join.items import ClosedDecision

Waiter = tuple[Task | ClosedDecision, int]
"""What waits, and the index of the record among those that it names."""


class _Awaited:
    """Who waits for which offset of one topic; those of a range are found without a look at the others."""

    def __init__(self) -> None:
        self.waiters: dict[int, list[Waiter]] = {}
        self._order: list[int] = []
        """The offsets, and such as nobody waits for any more; in order unless `_is_sorted` is off."""
        self._is_sorted = True
        self._first = 0
        """Nobody waits for what stands before this place in the order."""

    def add(self, offset: int, waiter: Waiter) -> None:
        waiters = self.waiters.get(offset)
        if waiters is not None:
            waiters.append(waiter)
            return
        self.waiters[offset] = [waiter]
        self._is_sorted = self._is_sorted and (not self._order or self._order[-1] < offset)
        self._order.append(offset)

    def between(self, start: int, stop: int) -> list[int]:
        """The offsets in [start, stop) that are waited for, in order."""
        if not self._is_sorted or len(self._order) > 2 * len(self.waiters):
            self._order, self._is_sorted, self._first = sorted(self.waiters), True, 0
        order = self._order
        while self._first < len(order) and order[self._first] not in self.waiters:
            self._first += 1
        low, high = bisect_left(order, start, self._first), bisect_left(order, stop, self._first)
        return [offset for offset in order[low:high] if offset in self.waiters]


class AwaitedRecords:
    """Who waits for which record, by topic and offset."""

    def __init__(self) -> None:
        self._by_topic: dict[str, _Awaited] = {}
        self._in_log_order: deque[Task] = deque()
        """Those that wait, and such as do no more behind the first that does: decisions are confirmed in log order."""

    def add(self, key: Key, waiter: Waiter) -> None:
        """`waiter` waits for the record."""
        awaited = self._by_topic.get(key[0])
        if awaited is None:
            awaited = self._by_topic[key[0]] = _Awaited()
        awaited.add(key[1], waiter)
        task = waiter[0]
        if isinstance(task, Task) and (not self._in_log_order or self._in_log_order[-1] is not task):
            self._in_log_order.append(task)

    def pop(self, topic: str, offset: int) -> list[Waiter]:
        """Who waited for the record that has come, or will never come, in log order."""
        awaited = self._by_topic.get(topic)
        waiters = awaited.waiters.pop(offset, None) if awaited is not None else None
        if awaited is None or waiters is None:
            return []
        if not awaited.waiters:
            del self._by_topic[topic]
        return waiters

    def below(self, topic: str, next_offset: int) -> list[int]:
        """The offsets below `next_offset` that are still waited for, in order."""
        return self._between(topic, 0, next_offset)

    def n_between(self, topic: str, start: int, stop: int) -> int:
        """How many offsets in [start, stop) are waited for."""
        return len(self._between(topic, start, stop))

    def _between(self, topic: str, start: int, stop: int) -> list[int]:
        awaited = self._by_topic.get(topic)
        return awaited.between(start, stop) if awaited is not None else []

    def is_accepted(self, topic: str, offset: int) -> bool:
        """Whether a decision that waits for this record took it for good: any but a dead letter."""
        awaited = self._by_topic.get(topic)
        waiters = awaited.waiters.get(offset, ()) if awaited is not None else ()
        return any(not (isinstance(task, Task) and is_dead_letter(task.decision)) for task, _ in waiters)

    def topics(self) -> set[str]:
        """The topics of which a record is waited for."""
        return set(self._by_topic)

    @property
    def first_log_offset(self) -> int:
        """Where the first decision stands in the log that waits for a record; `NOT_NAMED` where none does.

        A `closed` is not looked at: it stands behind a set that waits too.
        """
        while self._in_log_order and self._in_log_order[0].ready:
            self._in_log_order.popleft()
        return self._in_log_order[0].log_offset if self._in_log_order else NOT_NAMED
