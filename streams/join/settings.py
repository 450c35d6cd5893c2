"""Settings of the join, as one frozen value that is checked once, and their fingerprint."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Literal

import msgspec

from syncline.errors import SettingsError
from syncline.wire.contract import MODALITIES, VERSION, media_topic

MAX_SET_BYTES = 400_000
"""The most that `max_set_bytes` may be: a set that is given up takes up to 1.6 times as much in one entry."""
_NUMBERS_BYTES = 64
"""Offset, times, hash and topic of a member."""


def item_bytes(stream: str, lane: str) -> int:
    """What one item of this lane takes at most."""
    return _NUMBERS_BYTES + len(stream.encode()) + len(lane.encode())


StrategyName = Literal["earliest", "nearest", "tumbling"]
MAX_LANES = 256
"""Of one stream: a set of as many with the longest names is less than `MAX_SET_BYTES`."""


class Lane(msgspec.Struct, frozen=True):
    """One source of a stream, and the modality whose topic carries it."""

    name: str
    modality: str


class JoinSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How items of one stream are brought together. Times are integer milliseconds.

    `lanes`: what a set waits for, as `lane` or `lane:modality`, e.g. `("left:image", "right:image", "text")`.
    `lanes_by_stream`: the same by stream-name pattern, e.g. `{"lobby-*": ("image", "text")}`; first match wins.
    `out_of_order_ms`, `offset_ms`: per lane; a lane that is not named has 0. `offset_ms` is added to event time.
    `max_set_bytes`: a window of `tumbling` with more (64 bytes an event, and its names) gives several sets.
    `max_held_*` are soft limits of one worker, shared out equally among the partition numbers that it owns;
    `max_streams` and `max_remembered_ids` are limits of each partition number (streams/join/clocks.py).
    Raises `SettingsError` with the setting, what it got and what it takes.
    """

    strategy: StrategyName = "earliest"
    lanes: tuple[str, ...] = MODALITIES
    lanes_by_stream: dict[str, tuple[str, ...]] = {}
    tolerance_ms: int = 50
    out_of_order_ms: dict[str, int] = {}
    offset_ms: dict[str, int] = {}
    max_wait_ms: int = 2_000
    pivot: str = "text"
    share: bool = False
    size_ms: int = 1_000
    max_set_bytes: int = MAX_SET_BYTES
    require: tuple[str, ...] = ()
    stream_ttl_ms: int = 600_000
    max_ahead_ms: int = 60_000
    max_held_events: int = 8_000
    max_held_bytes: int = 128 * 2**20
    hard_limit_factor: int = 4
    max_streams: int = 20_000
    max_remembered_ids: int = 60_000

    def __post_init__(self) -> None:
        _check_positive(self)
        every_lane = {lane.name for names in self._lane_lists() for lane in _parse(names)}
        if self.strategy == "nearest":
            _check_pivot(self.pivot, self._lane_lists())
        for setting in ("out_of_order_ms", "offset_ms"):
            _check_known(setting, tuple(getattr(self, setting)), every_lane)
        _check_known("require", self.require, every_lane)

    def _lane_lists(self) -> list[tuple[str, ...]]:
        return [self.lanes, *self.lanes_by_stream.values()]

    def lanes_by_topic(self) -> dict[str, int]:
        """The media topics that streams have lanes of, with the most lanes that a stream has of each."""
        by_topic: dict[str, int] = {}
        for names in self._lane_lists():
            counts = Counter(media_topic(lane.modality) for lane in _parse(names))
            by_topic |= {topic: max(n_lanes, by_topic.get(topic, 0)) for topic, n_lanes in counts.items()}
        return by_topic

    def lane_names_of(self, stream: str) -> tuple[str, ...]:
        """The lanes that a set of `stream` waits for, as the setting spells them."""
        for pattern, names in self.lanes_by_stream.items():
            if fnmatchcase(stream, pattern):
                return names
        return self.lanes

    def lanes_of(self, stream: str) -> tuple[Lane, ...]:
        """The lanes that a set of `stream` waits for, in lane order."""
        return _parse(self.lane_names_of(stream))


def _parse(names: tuple[str, ...]) -> tuple[Lane, ...]:
    lanes: list[Lane] = []
    for text in names:
        name, _, modality = text.partition(":")
        lane = Lane(name=name, modality=modality or name)
        if not name or lane.modality not in MODALITIES:
            raise SettingsError("lanes", text, f"LANE or LANE:MODALITY with a modality of {', '.join(MODALITIES)}")
        if name in {known.name for known in lanes}:
            raise SettingsError("lanes", text, "each lane once")
        lanes.append(lane)
    if not lanes:
        raise SettingsError("lanes", "", "at least one lane")
    if len(lanes) > MAX_LANES:
        raise SettingsError("lanes", f"{len(lanes)} lanes", f"at most {MAX_LANES}")
    return tuple(lanes)


def _check_positive(settings: JoinSettings) -> None:
    at_least = {"tolerance_ms": 0, "max_wait_ms": 1, "size_ms": 1, "stream_ttl_ms": 1, "max_ahead_ms": 0}
    at_least |= {"max_set_bytes": 1, "max_held_events": 1, "max_held_bytes": 1, "hard_limit_factor": 1}
    at_least |= {"max_streams": 1, "max_remembered_ids": 1}
    for name, least in at_least.items():
        if getattr(settings, name) < least:
            raise SettingsError(name, getattr(settings, name), f"an integer of at least {least}")
    if settings.max_set_bytes > MAX_SET_BYTES:
        raise SettingsError("max_set_bytes", settings.max_set_bytes, f"an integer of at most {MAX_SET_BYTES}")
    for lane, value in settings.out_of_order_ms.items():
        if value < 0:
            raise SettingsError(f"out_of_order_ms.{lane}", value, "an integer of at least 0")


def _check_pivot(pivot: str, lane_lists: list[tuple[str, ...]]) -> None:
    for names in lane_lists:
        known = [lane.name for lane in _parse(names)]
        if pivot not in known:
            raise SettingsError("pivot", pivot, f"one of the lanes {', '.join(known)}")


def _check_known(setting: str, names: tuple[str, ...], lanes: set[str]) -> None:
    for name in names:
        if name not in lanes:
            raise SettingsError(setting, name, f"one of the lanes {', '.join(sorted(lanes))}")


N_BYTES = 8
_DECIDE_NOTHING = ("max_held_events", "max_held_bytes", "hard_limit_factor")
"""How much is held says when pressure acts; what it may decide then, the others say."""


def fingerprint(settings: JoinSettings, max_event_bytes: int) -> str:
    """Of all settings that decide what becomes of a record, and of the contract's version; 16 hexadecimal digits.

    max_event_bytes: the largest value of a media record.
    """
    deciding = {name: value for name, value in msgspec.structs.asdict(settings).items() if name not in _DECIDE_NOTHING}
    deciding |= {"max_event_bytes": max_event_bytes, "contract": VERSION}
    return blake2b(msgspec.json.encode(deciding, order="deterministic"), digest_size=N_BYTES).hexdigest()
