"""Where decisions of the join wait to be fetched, and where they are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streams.join.model import (
    ClosedDecision,
    Item,
    JoinDecision,
    SetDecision,
    SetReason,
    UnfusedDecision,
    UnfusedReason,
)
from streams.join.settings import JoinSettings
from streams.join.state import Head


class Outbox:
    """Turns what was decided into decisions, in order.

    `counters` counts sets by outcome (`complete`, `partial`) and reason (`by_complete`, `by_watermark`,
    `by_timeout`, `by_pressure`), single records by theirs (`late`, `unmatched`, `duplicate`, `unexpected`,
    `closed`), and `suspect_pairs`.
    """

    def __init__(self, settings: JoinSettings) -> None:
        self.counters: Counter[str] = Counter()
        self._strategy = settings.strategy
        self._size_ms = settings.size_ms if settings.strategy == "tumbling" else 0
        self._open_but = settings.pivot if settings.strategy == "nearest" and settings.share else None
        self._decisions: list[JoinDecision] = []
        self.tied: set[tuple[str, int]] = set()
        """Records whose decision must not be parted from the one behind it; whoever writes them takes them out."""

    def fuse(self, stream: str, head: Head, members: tuple[Item, ...], forced: SetReason | None, bound_ms: int) -> None:
        """A set; `forced` is why it was decided, if not by the watermarks."""
        outcome = "partial" if head.missing else "complete"
        reason = forced or ("watermark" if head.missing else "complete")
        still_open: tuple[int, ...] = ()
        if self._open_but is not None:
            still_open = tuple(n for n, item in enumerate(members) if item.lane != self._open_but)
        missing = tuple(head.missing)
        self._decisions.append(
            SetDecision(
                stream,
                self._strategy,
                outcome,
                reason,
                head.start_ms,
                members,
                missing,
                bound_ms,
                still_open,
                head.start_ms + self._size_ms if self._size_ms else 0,
            )
        )
        self.counters[outcome] += 1
        self.counters["by_" + reason] += 1

    def unfuse(self, item: Item, reason: UnfusedReason, *, late_by_ms: int = 0, bound_ms: int = 0) -> None:
        """A record that is in no set."""
        self._decisions.append(UnfusedDecision(item, reason, late_by_ms, bound_ms))
        self.counters[reason] += 1

    def give_up(self, items: Sequence[Item], bound_ms: int) -> None:
        """The members of a set that lacks a required lane, or one item that no set takes: all in one batch of the log.

        Were only some of them in it, a successor would join the others anew and fuse what a run without a crash does
        not.
        """
        for item in items:
            self.unfuse(item, "unmatched", bound_ms=bound_ms)
        self.tied.update((item.topic, item.offset) for item in items[:-1])

    def close(self, item: Item) -> None:
        """A shared item that was in a set and can be in no further one."""
        self._decisions.append(ClosedDecision(item))
        self.counters["closed"] += 1

    def flush(self) -> list[JoinDecision]:
        """Everything since the last call."""
        decisions, self._decisions = self._decisions, []
        return decisions
