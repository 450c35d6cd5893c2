"""The way into the log: one entry in flight, sent again unchanged until the broker has it or the claim is lost.

The next goes only when this one is acknowledged: else a retried entry could land behind its successor and be
taken for a copy.
"""

from __future__ import annotations

from streams.decisions.entries import Entry, encode_entry
from streams.decisions.records import Append


class Proposer:
    """Numbers and sends the entries of one owner."""

    def __init__(self) -> None:
        self._number = -1
        self._in_flight: Append | None = None
        self._to_send: Append | None = None
        self.failing = False
        """The last append failed: timers and pressure must propose nothing until one succeeds."""

    @property
    def free(self) -> bool:
        """Whether the next entry may go."""
        return self._in_flight is None

    @property
    def next_number(self) -> int:
        """The number of the next entry."""
        return self._number + 1

    def send(self, entry: Entry) -> None:
        """Put `entry`, made with `next_number`, on its way."""
        self._number = entry.number
        self._in_flight = self._to_send = Append(entry.number, encode_entry(entry))

    def appended(self, number: int, *, ok: bool) -> None:
        """The broker has, or has not, the entry with this number."""
        if self._in_flight is None or number != self._in_flight.number:
            return  # of a claim that has been lost since
        self.failing = not ok
        if ok:
            self._in_flight = None
        else:
            self._to_send = self._in_flight

    def drop(self) -> None:
        """The claim is lost: what is in flight is void wherever it lands."""
        self._in_flight = self._to_send = None
        self.failing = False

    def take(self) -> Append | None:
        """What is to be appended now."""
        to_send, self._to_send = self._to_send, None
        return to_send
