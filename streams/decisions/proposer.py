"""The way into the log: one entry in flight, sent again unchanged until the broker has it or the claim is lost.

The next goes only when this one is acknowledged: else a retried entry could land behind its successor and be
taken for a copy.
"""

from __future__ import annotations

from collections import deque

from streams.decisions.entries import Entry, encode_entry
from streams.decisions.records import Append
from streams.decisions.rules import ALL_RULES, Rules
from streams.decisions.versions import THIS_VERSION


class Proposer:
    """Numbers and sends the entries of one owner, in the form of `version`."""

    def __init__(self, rules: Rules = ALL_RULES, version: str = THIS_VERSION) -> None:
        self._rules, self._version = rules, version
        self._number = -1
        self._in_flight: dict[int, Append] = {}
        self._to_send: deque[Append] = deque()

    @property
    def free(self) -> bool:
        """Whether the next entry may go."""
        return not self._in_flight or not self._rules.one_batch_in_flight

    @property
    def next_number(self) -> int:
        """The number of the next entry."""
        return self._number + 1

    def send(self, entry: Entry) -> None:
        """Put `entry`, made with `next_number`, on its way."""
        self._number = entry.number
        append = self._in_flight[entry.number] = Append(entry.number, encode_entry(entry, self._version))
        self._to_send.append(append)

    def appended(self, number: int, *, ok: bool) -> None:
        """The broker has, or has not, the entry with this number; of a claim that was lost since, nobody cares."""
        if ok:
            self._in_flight.pop(number, None)
        elif number in self._in_flight:
            self._to_send.append(self._in_flight[number])

    def drop(self) -> None:
        """The claim is lost: what is in flight is void wherever it lands."""
        self._in_flight.clear()
        self._to_send.clear()

    def take(self) -> Append | None:
        """What is to be appended now."""
        return self._to_send.popleft() if self._to_send else None
