"""The interface of the join's strategies."""

from __future__ import annotations

from abc import ABC, abstractmethod

from streams.join.items import Item
from streams.join.settings import JoinSettings
from streams.join.state import Entry, Head, StreamState


class Strategy(ABC):
    """Finds a stream's next decision. Changes a stream only in `hold` and `take`."""

    def __init__(self, settings: JoinSettings) -> None:
        self.settings = settings

    @abstractmethod
    def heads(self, stream: StreamState) -> list[Head]:
        """Return the next decisions of a stream that holds items.

        Either the first head is settled (its `unsettled` is empty), or all of them wait independently.
        """

    @abstractmethod
    def take(self, stream: StreamState, head: Head) -> list[Item]:
        """Remove and return the head's members, in (lane order, time, offset) order."""

    def limit(self, stream: StreamState, head: Head) -> None:
        """Leave out of a head what is too much for one set; the next head has it."""
        del stream, head

    def head_towards(self, stream: StreamState, target: Item) -> Head:
        """Return the head that must be decided next on the way to deciding `target`."""
        del target
        return self.heads(stream)[0]

    def hold(self, stream: StreamState, place: int, entry: Entry) -> None:
        """Hold an item in lane number `place`."""
        stream.lanes[place].hold(entry)
        stream.n_held += 1

    def is_in_a_set(self, stream: StreamState, item: Item) -> bool:
        """Tell whether a held item is already a member of a decided set."""
        del stream, item
        return False


def distance_ms(a: Item, b: Item) -> int:
    """Return the gap between the intervals that two items cover; 0 if they touch or overlap."""
    return max(0, a.time_ms - b.end_ms, b.time_ms - a.end_ms)
