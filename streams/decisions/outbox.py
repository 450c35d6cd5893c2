"""Decisions that wait for their place in a batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.decisions.holds import Holds
from streams.decisions.naming import keys_of
from streams.decisions.rules import ALL_RULES, Rules
from streams.decisions.runs import with_runs
from streams.join.model import Decision, SetDecision, UnfusedDecision

BATCH_DECISIONS = 500
"""About 80 KiB of sets of three: far below every broker's limit, and few enough to keep the log's reader quick."""
BATCH_BYTES = 400_000
"""For large sets and long names of streams: about as much, and under 512 KiB."""
_ITEM_BYTES = 64


class Outbox:
    """Decisions in the order in which they go into the log."""

    def __init__(self, holds: Holds, rules: Rules = ALL_RULES) -> None:
        self._holds, self._rules = holds, rules
        self._decisions: list[Decision] = []

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

    def clear(self) -> None:
        """The claim is lost, and with it what waited here."""
        self._decisions = []

    def take_batch(self) -> list[Decision]:
        """The next batch; its records are on their way from now on."""
        decisions = with_runs(self._decisions)
        size = _batch_size(decisions)
        while self._rules.given_up_sets_stay_whole and _parts_a_set(decisions, size):
            size += 1
        batch, self._decisions = decisions[:size], decisions[size:]
        for decision in batch:
            # A shared member that stays open frees no room until it is closed.
            still_open = decision.open_members if isinstance(decision, SetDecision) else ()
            for index, key in enumerate(keys_of(decision)):
                held = self._holds.get(*key)
                if held is not None and index not in still_open:
                    self._holds.mark(held)
        return batch


def _batch_size(decisions: Sequence[Decision]) -> int:
    """How many decisions go into the next batch: up to the limits, at least one."""
    size, n_bytes = 0, 0
    for decision in decisions:
        n_bytes += _estimated_bytes(decision)
        if size >= BATCH_DECISIONS or (n_bytes > BATCH_BYTES and size):
            break
        size += 1
    return size


def _estimated_bytes(decision: Decision) -> int:
    if isinstance(decision, SetDecision):
        return sum(_ITEM_BYTES + len(item.stream) + len(item.lane) for item in decision.members)
    return _ITEM_BYTES + (len(decision.item.stream) if isinstance(decision, UnfusedDecision) else 0)


def _parts_a_set(decisions: Sequence[Decision], size: int) -> bool:
    """Whether a cut behind the first `size` decisions would go through a set that was given up."""
    if not 0 < size < len(decisions):
        return False
    one, after = decisions[size - 1], decisions[size]
    # The members of a set that was given up (`require`) are unmatched one by one. Were only some of them in the log,
    # a successor would join the others anew and fuse what a run without a crash does not.
    return (
        isinstance(one, UnfusedDecision)
        and isinstance(after, UnfusedDecision)
        and one.reason == after.reason == "unmatched"
        and one.item.stream == after.item.stream
    )
