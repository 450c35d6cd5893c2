"""Confirmed decisions whose records have not come yet, as after a crash."""

from __future__ import annotations

from collections.abc import Iterator

from streams.decisions.naming import Key, is_dead_letter
from streams.decisions.records import Task
from streams.join.model import ClosedDecision

Waiter = tuple[Task | ClosedDecision, int]
"""What waits, and the index of the record among those that it names."""


class Waiting:
    """Who waits for which record, by topic and offset."""

    def __init__(self) -> None:
        self._by_topic: dict[str, dict[int, list[Waiter]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_topic.values()))

    def add(self, key: Key, waiter: Waiter) -> None:
        """`waiter` waits for the record."""
        self._by_topic.setdefault(key[0], {}).setdefault(key[1], []).append(waiter)

    def pop(self, topic: str, offset: int) -> list[Waiter]:
        """Who waited for the record that has come, or will never come, in log order."""
        of_topic = self._by_topic.get(topic)
        waiters = of_topic.pop(offset, None) if of_topic else None
        if waiters is None:
            return []
        if not of_topic:
            del self._by_topic[topic]
        return waiters

    def below(self, topic: str, next_offset: int) -> list[int]:
        """The offsets below `next_offset` that are still waited for, in order."""
        return sorted(offset for offset in self._by_topic.get(topic, ()) if offset < next_offset)

    def n_between(self, topic: str, start: int, stop: int) -> int:
        """How many offsets in [start, stop) are waited for."""
        return sum(start <= offset < stop for offset in self._by_topic.get(topic, ()))

    def is_accepted(self, topic: str, offset: int) -> bool:
        """Whether a decision that waits for this record took it for good: any but a dead letter."""
        waiters = self._by_topic.get(topic, {}).get(offset, ())
        return any(not (isinstance(task, Task) and is_dead_letter(task.decision)) for task, _ in waiters)

    def topics(self) -> set[str]:
        """The topics of which a record is waited for."""
        return set(self._by_topic)

    def log_offsets(self) -> Iterator[int]:
        """Where the decisions that wait stand in the log. A `closed` stands behind a set that waits too."""
        for of_topic in self._by_topic.values():
            for waiters in of_topic.values():
                yield from (task.log_offset for task, _ in waiters if isinstance(task, Task))
