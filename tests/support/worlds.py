"""Random settings and media for simulated worlds, and small hand-made ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

import msgspec

from streams.decisions.in_flight import InFlight
from streams.decisions.records import Record, Rejected
from streams.join.items import Item
from streams.join.settings import JoinSettings, Lane
from syncline.wire.contract import MODALITIES, media_topic

PERIOD_MS = 100
T0_MS = 1_000
LONG_MS = 10**8
"""A `max_wait_ms` that no run lives to see, except where it waits for it in peace."""

Media = dict[str, list[Record | None]]


@dataclass(frozen=True)
class Shape:
    """How random media look. Shares are chances per item."""

    n_moments: int = 12
    n_streams: int = 2
    missing: float = 0.15
    spoilt: float = 0.1
    """Swapped, sent twice, undecodable, without key or from an unexpected lane."""
    gaps: float = 0.03
    """Offsets without a record."""
    silent: float = 0.0
    """Chance that a lane of a stream is silent, and as much again that it ends halfway."""
    ending: bool = True
    """A complete moment far behind the others, whose arrival settles what stands before it."""


def random_settings(random: Random, *, timers: bool, limits: bool) -> JoinSettings:
    """Any strategy; `timers`: waits are short enough to end; `limits`: back-pressure really happens."""
    lanes = random.choice((MODALITIES, MODALITIES, ("image", "text"), ("left:image", "right:image", "text")))
    names = [lane.partition(":")[0] for lane in lanes]
    disorder = {name: random.choice((0, 0, 0, 150)) for name in names}
    settings = JoinSettings(
        strategy=random.choice(("earliest", "earliest", "nearest", "nearest", "tumbling")),
        lanes=lanes,
        tolerance_ms=random.choice((0, 45, 45, 120)),
        out_of_order_ms={name: value for name, value in disorder.items() if value},
        max_wait_ms=random.choice((100, 300, 2_000)) if timers else LONG_MS,
        pivot=random.choice(names),
        share=random.choice((True, False)),
        size_ms=random.choice((100, 250)),
        require=random.choice(((), (), (names[0],))),
        stream_ttl_ms=random.choice((600_000, 600_000, 15)),
        max_held_events=random.choice((3, 8, 20)) if limits else 100_000,
        max_held_bytes=random.choice((10**9, 100)) if limits else 10**9,
        hard_limit_factor=random.choice((1, 2, 4)) if limits else 4,
    )
    # By a generator of its own, so that the worlds that were found before stay what they were.
    return msgspec.structs.replace(settings, max_set_bytes=Random(repr(settings)).choice((400_000, 220, 150)))


def random_media(random: Random, settings: JoinSettings, shape: Shape | None = None) -> Media:
    """Per topic a log of records: jitter, durations, missing, late and silent lanes, duplicates, broken records."""
    shape = shape or Shape()
    by_topic: dict[str, list[tuple[str, str, int]]] = {media_topic(name): [] for name in MODALITIES}
    for stream in (f"s{n}" for n in range(shape.n_streams)):
        for lane in settings.lanes_of(stream):
            times = _times(random, shape)
            by_topic[media_topic(lane.modality)] += [(stream, lane.name, time_ms) for time_ms in times]
    return {topic: _log(random, topic, items, shape) for topic, items in by_topic.items()}


def _times(random: Random, shape: Shape) -> list[int]:
    draw = random.random()
    n_moments = 0 if draw < shape.silent else random.randint(0, 12) if draw < 2 * shape.silent else shape.n_moments
    moments = [moment for moment in range(n_moments) if random.random() >= shape.missing]
    return [T0_MS + moment * PERIOD_MS + random.randint(0, 20) for moment in moments]


def _log(random: Random, topic: str, items: list[tuple[str, str, int]], shape: Shape) -> list[Record | None]:
    items.sort(key=lambda item: item[2] // PERIOD_MS)
    for place in range(len(items)):
        if random.random() < shape.spoilt:
            swap = min(len(items) - 1, place + random.randint(1, 4))
            items[place], items[swap] = items[swap], items[place]
    log: list[Record | None] = []
    for stream, lane, time_ms in items:
        if random.random() < shape.gaps:
            log.append(None)
        id_hash = stable_hash(lane, stream, time_ms)
        for _ in range(2 if random.random() < shape.spoilt / 2 else 1):
            name = random.choice(MODALITIES) if random.random() < shape.spoilt / 4 else lane
            end_ms = time_ms + random.choice((0, 0, 0, 30))
            item = Item(stream, name, topic, len(log), time_ms, end_ms, id_hash, 1_000_000 + len(log))
            log.append(_record(item, random.random(), shape.spoilt))
    if shape.ending:
        last_ms = T0_MS + (shape.n_moments + 20) * PERIOD_MS
        for stream, lane in dict.fromkeys((stream, lane) for stream, lane, _ in items):
            log.append(record(stream, lane, len(log), last_ms, topic=topic))
    return log


def _record(item: Item, draw: float, spoilt: float) -> Record:
    if draw < spoilt / 4:
        return Record(item.offset, item, Rejected("undecodable"), 10, None)
    if draw < spoilt / 2:
        return Record(item.offset, None, Rejected("no_key"), 10, None)
    return Record(item.offset, item, None, 10, None)


def record(
    stream: str, lane: str, offset: int, time_ms: int, *, topic: str = "", id_hash: int | None = None, n_bytes: int = 10
) -> Record:
    """One good record; its lane is named as its modality unless `topic` says otherwise."""
    unique = stable_hash(lane, stream, time_ms) if id_hash is None else id_hash
    item = Item(stream, lane, topic or f"media.{lane}", offset, time_ms, time_ms, unique, 1_000_000 + offset)
    return Record(offset, item, None, n_bytes, None)


def media_of(**lanes: Iterable[tuple[str, int]]) -> Media:
    """Hand-made media: per lane its (stream, time in ms) in offset order; lanes that are not named are empty."""
    return {
        f"media.{lane}": [record(stream, lane, offset, time_ms) for offset, (stream, time_ms) in enumerate(items)]
        for lane, items in (dict.fromkeys(MODALITIES, ()) | lanes).items()
    }


def lane_topics(settings: JoinSettings, stream: str) -> dict[str, str]:
    """The media topic of each lane of a stream."""
    lanes: tuple[Lane, ...] = settings.lanes_of(stream)
    return {lane.name: media_topic(lane.modality) for lane in lanes}


def stable_hash(*parts: object) -> int:
    """The same in every process, unlike `hash`, so that a seed replays a run."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=7).digest())


def make_holds() -> InFlight:
    """Nothing held of the three media topics."""
    return InFlight({media_topic(name): 0 for name in MODALITIES})
