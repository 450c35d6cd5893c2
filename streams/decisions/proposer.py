"""Builds batches of decisions and sends them to the log: one entry is in flight, and is retried unchanged until the
broker has it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal

from streams.decisions.entries import THIS_VERSION, Entry, Key, encode_entry, encoded_bytes, keys_of
from streams.decisions.in_flight import InFlight
from streams.decisions.records import Append
from streams.join.items import (
    MOVES_NO_WATERMARK,
    DeadLetterDecision,
    Decision,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)

SHORTEST_RUN = 16
"""Shorter runs stay single decisions, which say more (by how much a record was late)."""


def take_run(decisions: deque[Decision]) -> RunDecision | None:
    """Take a run of at least `SHORTEST_RUN` consecutive offsets from the front; None if there is none."""
    first = last = _run_key(decisions[0])
    length = 0
    for decision in decisions:
        if last is None or _run_key(decision) != last:
            break
        length += 1
        last = (last[0], last[1] + 1, last[2], last[3])
    if first is None or length < SHORTEST_RUN:
        return None
    for _ in range(length):
        decisions.popleft()
    topic, offset, outcome, reason = first
    return RunDecision(topic, offset, offset + length - 1, outcome, reason)


_RunKey = tuple[str, int, Literal["unfused", "deadletter"], str]


def _run_key(decision: Decision) -> _RunKey | None:
    if isinstance(decision, UnfusedDecision) and decision.reason in MOVES_NO_WATERMARK:
        return decision.item.topic, decision.item.offset, "unfused", decision.reason
    if isinstance(decision, DeadLetterDecision) and decision.item is None:
        return decision.topic, decision.offset, "deadletter", decision.reason
    return None


BATCH_DECISIONS = 500
"""About 80 KiB of sets of three: far below any broker's limit, and quick to read."""
BATCH_BYTES = 400_000
"""Encoded size, for large sets and long stream names. Only a set that was given up may exceed it, in its own batch."""


class BatchBuilder:
    """Collects decisions in log order and cuts them into batches."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._decisions: deque[Decision] = deque()
        self._tied: set[Key] = set()

    def __bool__(self) -> bool:
        return bool(self._decisions)

    @property
    def wants_more(self) -> bool:
        """Whether the next batch has room, so that more may be decided."""
        return len(self._decisions) < BATCH_DECISIONS

    def add(self, decision: Decision) -> None:
        """Append one decision."""
        self._decisions.append(decision)

    def extend(self, decisions: Iterable[Decision]) -> None:
        """Append decisions."""
        self._decisions.extend(decisions)

    def start(self, tied: set[Key]) -> None:
        """Drop all decisions, because a new join begins.

        `tied` is the join's live set of records whose decision must be in one batch with the next one, such as the
        members of a set that was given up (`require`).
        """
        self._decisions.clear()
        self._tied = tied

    def take_batch(self) -> list[Decision]:
        """Return the next batch and count its records as on their way."""
        batch: list[Decision] = []
        room = BATCH_BYTES
        while self._decisions and len(batch) < BATCH_DECISIONS:
            together = self._take_together()
            room -= sum(map(encoded_bytes, together))
            if batch and room < 0:
                self._decisions.extendleft(reversed(together))
                break
            batch += together
        for decision in batch:
            self._mark(decision)
        return batch

    def _take_together(self) -> list[Decision]:
        """Take the first decision with those that must be in its batch, or a run."""
        run = take_run(self._decisions)
        if run is not None:
            return [run]
        together = [self._decisions.popleft()]
        while self._is_tied(together[-1]) and self._decisions:
            together.append(self._decisions.popleft())
        return together

    def _is_tied(self, decision: Decision) -> bool:
        return isinstance(decision, UnfusedDecision) and (decision.item.topic, decision.item.offset) in self._tied

    def _mark(self, decision: Decision) -> None:
        # A shared member that stays open frees no room until it is closed.
        still_open = decision.open_members if isinstance(decision, SetDecision) else ()
        for index, key in enumerate(keys_of(decision)):
            self._tied.discard(key)
            held = self._in_flight.get(*key)
            if held is not None and index not in still_open:
                self._in_flight.mark(held)


class Proposer:
    """Numbers and sends one owner's entries, written in `version`."""

    def __init__(self, version: str = THIS_VERSION) -> None:
        self._version = version
        self._number = -1
        self._in_flight: dict[int, Append] = {}
        self._to_send: deque[Append] = deque()

    @property
    def free(self) -> bool:
        """Whether no entry is in flight."""
        return not self._in_flight

    @property
    def next_number(self) -> int:
        """The number of the next entry."""
        return self._number + 1

    def send(self, entry: Entry) -> None:
        """Send `entry`, which has `next_number`."""
        self._number = entry.number
        append = self._in_flight[entry.number] = Append(entry.number, encode_entry(entry, self._version))
        self._to_send.append(append)

    def appended(self, number: int, *, ok: bool) -> None:
        """Take the outcome of the entry with this number; ignore one of an earlier claim."""
        if ok:
            self._in_flight.pop(number, None)
        elif number in self._in_flight:
            self._to_send.append(self._in_flight[number])

    def drop(self) -> None:
        """Forget the entry in flight: the claim is lost, so it is void wherever it lands."""
        self._in_flight.clear()
        self._to_send.clear()

    def take(self) -> Append | None:
        """Return what to append now."""
        return self._to_send.popleft() if self._to_send else None
