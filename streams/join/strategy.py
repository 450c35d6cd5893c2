"""The one interface behind which the ways of bringing items together stand."""

from __future__ import annotations

from abc import ABC, abstractmethod

from streams.join.items import Item
from streams.join.settings import JoinSettings
from streams.join.state import Entry, Head, StreamState


class Strategy(ABC):
    """Finds what a stream decides next. It changes nothing but in `hold` and `take`."""

    def __init__(self, settings: JoinSettings) -> None:
        self.settings = settings

    @abstractmethod
    def heads(self, stream: StreamState) -> list[Head]:
        """What this stream, which holds something, decides next.

        Either the first head is settled (its `unsettled` is empty), or all of them wait, each by itself.
        """

    @abstractmethod
    def take(self, stream: StreamState, head: Head) -> list[Item]:
        """Remove what the head decides from the stream: its members in (lane order, time, offset) order."""

    def limit(self, stream: StreamState, head: Head) -> None:
        """Leave out of a head that is to be decided now what no set has room for; it comes next."""
        del stream, head

    def head_towards(self, stream: StreamState, target: Item) -> Head:
        """The head that must be decided first so that, in the end, `target` is."""
        del target
        return self.heads(stream)[0]

    def hold(self, stream: StreamState, place: int, entry: Entry) -> None:
        """Keep an item in lane number `place`."""
        stream.lanes[place].hold(entry)
        stream.n_held += 1

    def is_in_a_set(self, stream: StreamState, item: Item) -> bool:
        """Whether a held item already is a member of a decided set."""
        del stream, item
        return False


def distance_ms(a: Item, b: Item) -> int:
    """The gap between the intervals that two items cover; 0 where they touch or overlap."""
    return max(0, a.time_ms - b.end_ms, b.time_ms - a.end_ms)
