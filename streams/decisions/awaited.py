"""Confirmed decisions that wait for their records, as after a crash."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from streams.decisions.entries import Key, is_dead_letter
from streams.decisions.records import Task
from streams.decisions.resolved import NOT_NAMED
from streams.join.items import ClosedDecision

Waiter = tuple[Task | ClosedDecision, int]
"""A waiting decision, and the record's index among those that it names."""


class _Awaited:
    """The waiting decisions of one topic by offset; a range is found without a scan of the others."""

    def __init__(self) -> None:
        self.waiters: dict[int, list[Waiter]] = {}
        self._order: list[int] = []
        """Awaited offsets and some no longer awaited; sorted if `_is_sorted`."""
        self._is_sorted = True
        self._first = 0
        """Index into `_order`; nothing before it is awaited."""

    def add(self, offset: int, waiter: Waiter) -> None:
        waiters = self.waiters.get(offset)
        if waiters is not None:
            waiters.append(waiter)
            return
        self.waiters[offset] = [waiter]
        self._is_sorted = self._is_sorted and (not self._order or self._order[-1] < offset)
        self._order.append(offset)

    def between(self, start: int, stop: int) -> list[int]:
        """Return the awaited offsets in [start, stop), in order."""
        if not self._is_sorted or len(self._order) > 2 * len(self.waiters):
            self._order, self._is_sorted, self._first = sorted(self.waiters), True, 0
        order = self._order
        while self._first < len(order) and order[self._first] not in self.waiters:
            self._first += 1
        low, high = bisect_left(order, start, self._first), bisect_left(order, stop, self._first)
        return [offset for offset in order[low:high] if offset in self.waiters]


class AwaitedRecords:
    """Waiting decisions by topic and offset."""

    def __init__(self) -> None:
        self._by_topic: dict[str, _Awaited] = {}
        self._in_log_order: deque[Task] = deque()
        """Waiting tasks in log order; those after the first may have ended."""

    def add(self, key: Key, waiter: Waiter) -> None:
        """Make `waiter` wait for the record."""
        awaited = self._by_topic.get(key[0])
        if awaited is None:
            awaited = self._by_topic[key[0]] = _Awaited()
        awaited.add(key[1], waiter)
        task = waiter[0]
        if isinstance(task, Task) and (not self._in_log_order or self._in_log_order[-1] is not task):
            self._in_log_order.append(task)

    def pop(self, topic: str, offset: int) -> list[Waiter]:
        """Remove and return the waiters for a record that has come or never will, in log order."""
        awaited = self._by_topic.get(topic)
        waiters = awaited.waiters.pop(offset, None) if awaited is not None else None
        if awaited is None or waiters is None:
            return []
        if not awaited.waiters:
            del self._by_topic[topic]
        return waiters

    def below(self, topic: str, next_offset: int) -> list[int]:
        """Return the awaited offsets below `next_offset`, in order."""
        return self._between(topic, 0, next_offset)

    def n_between(self, topic: str, start: int, stop: int) -> int:
        """Count the awaited offsets in [start, stop)."""
        return len(self._between(topic, start, stop))

    def _between(self, topic: str, start: int, stop: int) -> list[int]:
        awaited = self._by_topic.get(topic)
        return awaited.between(start, stop) if awaited is not None else []

    def is_accepted(self, topic: str, offset: int) -> bool:
        """Tell whether a waiting decision accepted this record: any decision but a dead letter."""
        awaited = self._by_topic.get(topic)
        waiters = awaited.waiters.get(offset, ()) if awaited is not None else ()
        return any(not (isinstance(task, Task) and is_dead_letter(task.decision)) for task, _ in waiters)

    def topics(self) -> set[str]:
        """Return the topics with an awaited record."""
        return set(self._by_topic)

    @property
    def first_log_offset(self) -> int:
        """Return the log offset of the first waiting decision; `NOT_NAMED` if there is none.

        A `closed` does not count: it comes after a set that waits too.
        """
        while self._in_log_order and self._in_log_order[0].ready:
            self._in_log_order.popleft()
        return self._in_log_order[0].log_offset if self._in_log_order else NOT_NAMED
