"""Random logs for the tests of the join and of the decisions: what cameras and people do, and worse.

`join_settings()` and `logs(settings)` are hypothesis strategies; `interleave` merges a log's topics in any
order that keeps each topic's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

from streams.join.model import Item
from streams.join.settings import JoinSettings

LANE_CHOICES = (
    ("image", "text", "audio"),
    ("image", "text"),
    ("left:image", "right:image", "text"),
    ("text",),
)
STREAMS = ("a", "b", "c")
T0_MS = 10_000
T = TypeVar("T")


class LogRecord(NamedTuple):
    """One record of a media topic: its item, and whether its payload can be decoded."""

    item: Item
    decodable: bool = True


Logs = dict[str, list[LogRecord]]
"""Topic -> its records in offset order."""


class Event(NamedTuple):
    """An item before it has a place in a log."""

    stream: str
    lane: str
    topic: str
    time_ms: int
    duration_ms: int
    id_hash: int
    decodable: bool


@st.composite
def join_settings(draw: st.DrawFn, strategies: tuple[str, ...] = ("earliest", "nearest", "tumbling")) -> JoinSettings:
    """Settings with small times, so that ties and limits are met often."""
    lanes = draw(st.sampled_from(LANE_CHOICES))
    names = [lane.partition(":")[0] for lane in lanes]
    disorder = {name: draw(st.sampled_from((0, 0, 3, 12))) for name in names}
    return JoinSettings(
        strategy=draw(st.sampled_from(strategies)),  # type: ignore[arg-type]
        lanes=lanes,
        tolerance_ms=draw(st.sampled_from((0, 2, 5, 10))),
        out_of_order_ms={name: value for name, value in disorder.items() if value},
        max_wait_ms=100,
        pivot=draw(st.sampled_from(names)),
        share=draw(st.booleans()),
        size_ms=draw(st.sampled_from((1, 7, 20))),
        require=tuple(draw(st.lists(st.sampled_from(names), max_size=1))),
    )


@st.composite
def logs(draw: st.DrawFn, settings: JoinSettings, streams: tuple[str, ...] = STREAMS, max_moments: int = 8) -> Logs:
    """Logs of some streams: moments with jitter, items missing, late, out of order, doubled or broken."""
    events: dict[str, list[list[Event]]] = {}
    for stream in streams:
        period_ms = draw(st.sampled_from((0, 1, 4, 10, 25)))
        n_moments = draw(st.integers(0, max_moments))
        for place, lane in enumerate(settings.lanes_of(stream)):
            moments = [
                Event(
                    stream,
                    lane.name,
                    f"media.{lane.modality}",
                    T0_MS + k * period_ms + draw(st.integers(-6, 6)),
                    draw(st.sampled_from((0, 0, 0, 3, 11))),
                    # Neighbours share an id now and then: a resend, or a producer that counts from 1 again.
                    1_000 * place + draw(st.sampled_from((k, k, k, k, k // 2))),
                    draw(st.sampled_from((True, True, True, True, True, False))),
                )
                for k in range(n_moments)
                if draw(st.integers(0, 5))  # else it is missing
            ]
            events.setdefault(moments[0].topic if moments else "", []).append(_disorder(draw, moments))
    if draw(st.booleans()):
        stray = Event(streams[0], "nobody", "media.text", T0_MS, 0, 1, True)
        events.setdefault("media.text", []).append([stray])
    events.pop("", None)
    return {topic: _number(draw, lanes) for topic, lanes in events.items()}


def _disorder(draw: st.DrawFn, moments: list[Event]) -> list[Event]:
    """Swap some neighbours and send some items again."""
    moments = list(moments)
    for _ in range(draw(st.integers(0, 3)) if moments else 0):
        here = draw(st.integers(0, len(moments) - 1))
        there = draw(st.integers(0, len(moments) - 1))
        if draw(st.booleans()):
            moments.insert(there, moments[here])
        else:
            moments[here], moments[there] = moments[there], moments[here]
    return moments


def _number(draw: st.DrawFn, lanes: list[list[Event]]) -> list[LogRecord]:
    """Merge lanes into one topic and give each record its offset and append time."""
    random = Random(draw(st.integers(0, 2**16)))
    records: list[LogRecord] = []
    for event in merge(lanes, random):
        offset = len(records)
        item = Item(
            event.stream,
            event.lane,
            event.topic,
            offset,
            event.time_ms,
            event.time_ms + event.duration_ms,
            event.id_hash,
            T0_MS + 10 * offset,
        )
        records.append(LogRecord(item, event.decodable))
    return records


def merge(sequences: list[list[T]], random: Random) -> list[T]:
    """One of the sequences that keep the order of each given one, chosen by `random`."""
    turns = [place for place, sequence in enumerate(sequences) for _ in sequence]
    random.shuffle(turns)
    waiting = [iter(sequence) for sequence in sequences]
    return [next(waiting[place]) for place in turns]


def interleave(topics: Mapping[str, list[LogRecord]], random: Random) -> list[LogRecord]:
    """The records of all topics in one order of arrival; sometimes one topic comes whole before another."""
    lists = list(topics.values())
    if random.random() < 0.3:
        random.shuffle(lists)
        return [record for records in lists for record in records]
    return merge(lists, random)
