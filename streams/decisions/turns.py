"""Whose turn it is to be published: the sets of each stream, in the order of the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from streams.decisions.naming import Key
from streams.decisions.records import Task


class Turns:
    """The sets that are decided and not published; `in_order` off is for tests that show what the order is for."""

    def __init__(self, *, in_order: bool) -> None:
        self._in_order = in_order
        self._queues: dict[str, deque[Task]] = {}
        self._by_members: dict[tuple[Key, ...], Task] = {}

    def __iter__(self) -> Iterator[Task]:
        return (task for queue in self._queues.values() for task in queue)

    def add(self, stream: str, task: Task) -> None:
        """A set was decided after all that are there."""
        self._queues.setdefault(stream, deque()).append(task)
        self._by_members.setdefault(tuple(task.keys), task)

    def find(self, members: tuple[Key, ...]) -> Task | None:
        """The set with these members."""
        return self._by_members.get(members)

    def take(self, stream: str) -> list[Task]:
        """The stream's sets whose turn has come, each once: they are fused or failed, and none before them is not."""
        queue = self._queues.get(stream, deque())
        taken: list[Task] = []
        if not self._in_order:
            taken = [task for task in queue if _finished(task)]
            for task in taken:
                queue.remove(task)
        while queue and _finished(queue[0]):
            taken.append(queue.popleft())
        if not queue:
            self._queues.pop(stream, None)
        for task in taken:
            members = tuple(task.keys)
            if self._by_members.get(members) is task:
                del self._by_members[members]
        return taken

    @property
    def any_can_go_on(self) -> bool:
        """Whether the first set of some stream has all its members; where it waits, so do those behind it."""
        return any(queue[0].ready for queue in self._queues.values())


def _finished(task: Task) -> bool:
    return task.ready and (task.fused or task.failed is not None)
