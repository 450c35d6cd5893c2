"""Random logs for the tests of the join and of the decisions: what cameras and people do, and worse.

`join_settings()` and `logs(settings)` are hypothesis strategies; `interleave` merges a log's topics in any
order that keeps each topic's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

from streams.join.items import Item
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
        max_set_bytes=draw(st.sampled_from((400_000, 70, 150, 300))),
        require=tuple(draw(st.lists(st.sampled_from(names), max_size=1))),
        max_remembered_ids=draw(st.sampled_from((60_000, 60_000, 1, 6, 15))),
    )


@st.composite
def logs(draw: st.DrawFn, settings: JoinSettings, streams: tuple[str, ...] = STREAMS, max_moments: int = 8) -> Logs:
    """Logs of some streams: moments with jitter, items missing, late, out of order, doubled or broken.

    Sizes are hypothesis' own choice, so that it shrinks them; the rest comes from a seed, which is much faster.
    """
    streams = streams[: draw(st.integers(1, len(streams)))]
    n_moments = draw(st.integers(0, max_moments)) * draw(st.sampled_from((1, 2)))
    random = Random(draw(st.integers(0, 2**32)))
    lanes_of_topic: dict[str, list[list[Event]]] = {}
    for stream in streams:
        period_ms, jitter_ms = random.choice((0, 1, 4, 10, 25)), random.choice((0, 0, 2, 6))
        for lane in settings.lanes_of(stream):
            topic = f"media.{lane.modality}"
            events = [
                _event(random, (stream, lane.name, topic), T0_MS + k * period_ms, jitter_ms, k)
                for k in range(n_moments)
                if random.random() < 0.85  # else it is missing
            ]
            lanes_of_topic.setdefault(topic, []).append(_disorder(random, events))
    if random.random() < 0.3:
        lanes_of_topic.setdefault("media.text", []).append([Event("a", "nobody", "media.text", T0_MS, 0, 1, True)])
    return {topic: _number(merge(lanes, random)) for topic, lanes in lanes_of_topic.items()}


def _event(random: Random, where: tuple[str, str, str], time_ms: int, jitter_ms: int, number: int) -> Event:
    time_ms += random.randint(-jitter_ms, jitter_ms)
    # Neighbours share an id now and then: a resend, or a producer that counts from 1 again.
    id_hash = number - 1 if random.random() < 0.08 else number
    return Event(*where, time_ms, random.choice((0, 0, 0, 3, 11)), id_hash, random.random() < 0.9)


def _disorder(random: Random, events: list[Event]) -> list[Event]:
    """Swap some items and send some again."""
    events = list(events)
    for _ in range(random.randint(0, 3) if events else 0):
        here = random.randrange(len(events))
        there = min(len(events) - 1, here + random.choice((1, 1, 1, 4)))
        if random.random() < 0.5:
            events.insert(there, events[here])
        else:
            events[here], events[there] = events[there], events[here]
    return events


def _number(events: list[Event]) -> list[LogRecord]:
    """Give each record of a topic its offset and append time."""
    records: list[LogRecord] = []
    for offset, event in enumerate(events):
        stream, lane, topic, time_ms, duration_ms, id_hash, decodable = event
        append_ms = T0_MS + 10 * offset
        item = Item(stream, lane, topic, offset, time_ms, time_ms + duration_ms, id_hash, append_ms)
        records.append(LogRecord(item, decodable))
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
