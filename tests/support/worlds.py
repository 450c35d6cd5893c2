"""Random media for simulated worlds."""

from __future__ import annotations

from hashlib import blake2b
from random import Random

from streams.decisions.records import Record, Rejected
from streams.join.model import Item

MODALITIES = ("image", "text", "audio")
PERIOD_MS = 100


def random_media(
    random: Random, *, n_moments: int = 12, n_streams: int = 2, missing: float = 0.15, spoilt: float = 0.1
) -> dict[str, list[Record]]:
    """Per topic a log of records: jitter, missing and late items, duplicates, broken records, a complete last moment.

    The last moment lies far behind the others, so that its arrival settles all that stands before it.
    """
    media: dict[str, list[Record]] = {}
    for modality in MODALITIES:
        times = [(stream, moment) for moment in range(n_moments) for stream in range(n_streams)]
        items: list[tuple[str, int]] = []
        for stream, moment in times:
            if random.random() >= missing:
                items.append((f"s{stream}", 1_000 + moment * PERIOD_MS + random.randint(0, 20)))
        for place in range(len(items)):
            if random.random() < spoilt:
                swap = min(len(items) - 1, place + random.randint(1, 4))
                items[place], items[swap] = items[swap], items[place]
        items += [(f"s{stream}", 1_000 + (n_moments + 20) * PERIOD_MS) for stream in range(n_streams)]
        media[f"media.{modality}"] = _records(random, modality, items, spoilt)
    return media


def _records(random: Random, modality: str, items: list[tuple[str, int]], spoilt: float) -> list[Record]:
    records: list[Record] = []
    last = len(items) - 1
    for place, (stream, time_ms) in enumerate(items):
        id_hash = stable_hash(modality, stream, time_ms)
        is_sent_twice = place != last and random.random() < spoilt / 2
        for _ in range(2 if is_sent_twice else 1):
            item = make_item(stream, modality, len(records), time_ms, id_hash)
            draw = 1.0 if time_ms > 1_000 + 20 * PERIOD_MS else random.random()
            records.append(_record(item, draw, spoilt))
    return records


def _record(item: Item, draw: float, spoilt: float) -> Record:
    if draw < spoilt / 4:
        return Record(item.offset, item, Rejected("undecodable"), 10, None)
    if draw < spoilt / 2:
        return Record(item.offset, None, Rejected("no_key"), 10, None)
    return Record(item.offset, item, None, 10, None)


def make_item(stream: str, lane: str, offset: int, time_ms: int, id_hash: int | None = None, end_ms: int = 0) -> Item:
    """An item of the lane's own modality (a lane named after one)."""
    topic = f"media.{lane}"
    unique = stable_hash(lane, offset, stream) if id_hash is None else id_hash
    return Item(stream, lane, topic, offset, time_ms, max(end_ms, time_ms), unique, 1_000_000 + offset)


def stable_hash(*parts: object) -> int:
    """The same in every process, unlike `hash`, so that a seed replays a run."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=7).digest())
