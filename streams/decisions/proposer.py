"""The way into the log: decisions wait for their place in a batch; one entry is in flight, sent again unchanged until
the broker has it.
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
"""Shorter runs are left as they are: their entries say more (by how much a record was late)."""


def take_run(decisions: deque[Decision]) -> RunDecision | None:
    """Take a run of at least `SHORTEST_RUN` neighbouring offsets from the front; None where there is none."""
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
"""About 80 KiB of sets of three: far below every broker's limit, and few enough to keep the log's reader quick."""
BATCH_BYTES = 400_000
"""For large sets and long names of streams, as encoded. A set that was given up goes alone where it takes more."""


class BatchBuilder:
    """Decisions in the order in which they go into the log."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._decisions: deque[Decision] = deque()
        self._tied: set[Key] = set()

    def __bool__(self) -> bool:
        return bool(self._decisions)

    @property
    def wants_more(self) -> bool:
        """Whether the next batch would not be full: only then is it time to decide more."""
        return len(self._decisions) < BATCH_DECISIONS

    def add(self, decision: Decision) -> None:
        """Put one decision behind the others."""
        self._decisions.append(decision)

    def extend(self, decisions: Iterable[Decision]) -> None:
        """Put these decisions behind the others."""
        self._decisions.extend(decisions)

    def start(self, tied: set[Key]) -> None:
        """A join begins, and what waited here for the one before is dropped.

        `tied`, which grows: records whose decision goes into one batch with the one behind it, as the members of a set
        that was given up (`require`) do.
        """
        self._decisions.clear()
        self._tied = tied

    def take_batch(self) -> list[Decision]:
        """The next batch; its records are on their way from now on."""
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
        """The first decision, with those behind it that must not be parted from it; or those that are one run."""
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
    """Numbers and sends the entries of one owner, in the form of `version`."""

    def __init__(self, version: str = THIS_VERSION) -> None:
        self._version = version
        self._number = -1
        self._in_flight: dict[int, Append] = {}
        self._to_send: deque[Append] = deque()

    @property
    def free(self) -> bool:
        """Whether the next entry may go."""
        return not self._in_flight

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
