"""For each kind of violation, ways to plant exactly one into a clean history: see the modules `plants_*`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from streams.join.items import Item, SetDecision, UnfusedDecision
from tests.support.drafts import Draft


class Plant(NamedTuple):
    """What is planted: its kind, the history it goes into, and kinds that follow from it and may be reported too."""

    kind: str
    into: str
    plant: Callable[[Draft], Any]
    also: frozenset[str]


PLANTS: dict[str, Plant] = {}


def plant(kind: str, into: str = "earliest", also: tuple[str, ...] = ()) -> Callable[[Callable[[Draft], Any]], Any]:
    """Name a function as the way to plant a violation of a kind."""

    def register(function: Callable[[Draft], Any]) -> Callable[[Draft], Any]:
        PLANTS[function.__name__] = Plant(kind, into, function, frozenset(also))
        return function

    return register


def partial(whole: SetDecision, *members: Item, reason: Any = "watermark", bound_ms: int = 0) -> SetDecision:
    """A set of some of the members of a complete one."""
    missing = tuple(lane for lane in ("image", "text", "audio") if lane not in {item.lane for item in members})
    return msgspec.structs.replace(
        whole,
        members=members,
        missing=missing,
        outcome="partial",
        reason=reason,
        start_ms=min(item.time_ms for item in members),
        bound_ms=bound_ms,
    )


def late_in(draft: Draft) -> UnfusedDecision:
    """The first record of a draft that is late."""
    late = draft.find(lambda decision: isinstance(decision, UnfusedDecision) and decision.reason == "late").decision
    assert isinstance(late, UnfusedDecision)
    return late
