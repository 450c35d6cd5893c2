"""The faults that a run can suffer, and how they are dealt: every few neighbouring seeds see each kind once.

A fault strikes when so many records have an outcome, not at a moment of wall time: that, its victim and its place
come from the seed, so a run can be repeated as far as the machine lets it.
"""

from __future__ import annotations

import random
from itertools import chain
from typing import Literal

import msgspec

from syncline.wire.contract import DEADLETTER, DECISIONS, FUSED, UNFUSED
from tests.support.interferences import Point

Kind = Literal[
    "kill", "kill_at", "freeze", "freeze_at", "terminate", "add", "remove", "replay", "outage", "answers_lost",
    "broker_restart", "leader", "coordinator", "transactions", "resets", "black_hole", "settings", "groups", "versions",
    "long_outage", "clock",
]  # fmt: skip
"""
    kill            kill -9 of a worker, and a new start
    kill_at         the same, at a point in the life of a decision (`Point`)
    freeze          SIGSTOP for longer than the session timeout, then SIGCONT
    freeze_at       the same, at a point in the life of a decision
    terminate       SIGTERM of a worker, and a new start
    add             workers are added until there are more than partitions
    remove          SIGTERM of a worker, without a new start
    replay          all workers are killed, a backlog grows, one replays it, then another comes
    outage          a topic takes nothing for a while
    answers_lost    a topic takes what is sent, and the worker is told for a while that it does not
    broker_restart  the broker is stopped and started again
    leader          the broker that leads a partition is killed in the middle of publishing, and started again
    coordinator     the broker that coordinates the group is killed, and started again
    transactions    another producer writes in transactions, commits some, aborts some, leaves some open for a while
    resets          some tens of the workers' connections are reset, over a few seconds
    black_hole      what a worker and its broker say to each other is lost, both ways or one, for longer than the
                    session timeout; connections stay open
    settings        workers are ended one by one and started with other settings that decide, and later with their own
    groups          a worker of another consumer group comes for a while
    versions        workers write the log's former form beside ones that write today's; one goes back a step
    long_outage     a result topic takes nothing for longer than every time-out
    clock           a worker whose wall clock jumps by days, ahead and back (where there is a C compiler)
"""

_ON_ONE = (
    "kill", "kill_at", "freeze", "freeze_at:appended", "freeze_at:published", "freeze_at", "terminate", "add", "remove",
    "replay", "outage", "answers_lost", "resets", "black_hole", "settings", "groups", "versions", "clock",
)  # fmt: skip
DECKS: dict[str, tuple[str, ...]] = {
    "tansu": _ON_ONE,
    "apache": (*_ON_ONE, "broker_restart", "transactions", "long_outage"),
    "apache3": (
        "kill", "freeze", "freeze_at:appended", "freeze_at:published", "outage", "replay", "transactions", "resets",
        "black_hole", "settings",
    ),
}  # fmt: skip
"""What is dealt on each kind of broker, as `KIND` or `KIND:POINT`."""
ALWAYS: dict[str, tuple[str, ...]] = {"tansu": (), "apache": (), "apache3": ("leader", "coordinator")}
"""What every run on such brokers suffers, beside what it is dealt."""
N_DEALT = {"tansu": 4, "apache": 4, "apache3": 2}
GENTLE = ("terminate", "add", "remove")
"""After these alone nothing may be said twice: every worker that leaves has drained."""
GENTLE_EVERY = 8
"""Of so many seeds one has gentle faults alone."""
N_GENTLE = 3
LONG_S = 40.0
"""Of a long outage: a batch without an answer for 30 s costs a producer, and clients give requests up after 40."""
BEHIND_PROXIES = ("resets", "black_hole")
"""Runs with these faults have each worker behind a proxy of its own."""
Way = Literal["both", "asks", "answers"]
WAYS: tuple[Way, ...] = ("both", "asks", "answers")
"""What a black hole swallows: all, what the worker says, or what its broker does."""

_POINTS: tuple[Point, ...] = ("recovering", "proposed", "appended", "publishing", "published")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `at`: how many records have an outcome when it strikes. `victim`: a number; of the workers that are
    there then, the one of that number modulo how many they are. `lasts_s`: of outages.
    """

    kind: Kind
    at: int
    victim: int = 0
    point: Point = "appended"
    topic: str = FUSED
    lasts_s: float = 4.0

    @property
    def way(self) -> Way:
        """Which way a black hole swallows."""
        return WAYS[self.victim % len(WAYS)]

    def __str__(self) -> str:
        where: dict[str, str] = {"kill_at": self.point, "freeze_at": self.point, "black_hole": self.way}
        where |= dict.fromkeys(("outage", "answers_lost", "long_outage"), self.topic)
        return self.kind + (f":{where[self.kind]}" if self.kind in where else "")


def draw_faults(seed: int, broker_kind: str, n_records: int, random_: random.Random) -> tuple[Fault, ...]:
    """The faults of one run, in the order in which they strike."""
    cards = _cards(seed, broker_kind)
    share = 0.7 / len(cards)
    return tuple(
        _fault(card, int(n_records * (0.08 + share * (number + random_.random()))), random_)
        for number, card in enumerate(cards)
    )


def is_gentle(faults: tuple[Fault, ...]) -> bool:
    """Whether nothing may be said twice in a run with these faults."""
    return all(fault.kind in GENTLE for fault in faults)


def _fault(card: str, at: int, random_: random.Random) -> Fault:
    kind, _, point = card.partition(":")
    drawn: dict[str, object] = {
        "point": point or random_.choice(_POINTS),
        "topic": random_.choice((DECISIONS, FUSED, FUSED, UNFUSED, DEADLETTER)),
        "lasts_s": random_.choice((2.0, 4.0, 6.0)),
        "victim": random_.randrange(1_000),
    }
    if kind == "long_outage":
        drawn |= {"lasts_s": LONG_S, "topic": FUSED if drawn["topic"] == DECISIONS else drawn["topic"]}
    return msgspec.convert({"kind": kind, "at": at, **drawn}, Fault)


def _cards(seed: int, broker_kind: str) -> list[str]:
    always, n_dealt = ALWAYS[broker_kind], N_DEALT[broker_kind]
    if always:
        return [*always, *_dealt(DECKS[broker_kind], n_dealt * seed, n_dealt)]
    if seed % GENTLE_EVERY == GENTLE_EVERY - 1:
        return random.Random(seed).choices(GENTLE, k=N_GENTLE)
    n_gentle_before = seed // GENTLE_EVERY
    return _dealt(DECKS[broker_kind], n_dealt * (seed - n_gentle_before), n_dealt)


def _dealt(deck: tuple[str, ...], start: int, n_cards: int) -> list[str]:
    """Cards `start` to `start + n_cards` of an endless row of shuffled decks."""
    first, last = start // len(deck), (start + n_cards - 1) // len(deck)
    cards = list(chain.from_iterable(_shuffled(deck, number) for number in range(first, last + 1)))
    return cards[start - first * len(deck) :][:n_cards]


def _shuffled(deck: tuple[str, ...], number: int) -> list[str]:
    cards = list(deck)
    random.Random(number).shuffle(cards)
    return cards
