"""The settings of the join: one frozen value, checked once; and their fingerprint."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from syncline.errors import SettingsError
from syncline.settings.definition import check_ranges
from syncline.wire.contract import MODALITIES, VERSION, media_topic

MAX_SET_BYTES = 400_000
"""Limit of `max_set_bytes`: a set that is given up needs up to 1.6 times as much in one entry."""
_NUMBERS_BYTES = 64
"""Size of a member's offset, times, hash and topic."""


def item_bytes(stream: str, lane: str) -> int:
    """Return the size limit of one item of a lane."""
    return _NUMBERS_BYTES + len(stream.encode()) + len(lane.encode())


StrategyName = Literal["earliest", "nearest", "tumbling"]
MAX_LANES = 256
"""Limit of a stream's lanes: a set of so many with the longest names is smaller than `MAX_SET_BYTES`."""


class Lane(msgspec.Struct, frozen=True):
    """One source of a stream, and the modality whose topic carries it."""

    name: str
    modality: str


class JoinSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the items of one stream are joined into sets (docs/design.md, section 5).

    Raises:
        SettingsError: a setting is wrong; with what it got and what it takes.
    """

    strategy: Annotated[StrategyName, Meta(description="How sets are formed.")] = "earliest"
    lanes: Annotated[
        tuple[str, ...],
        Meta(
            description="Lanes of a set, each LANE or LANE:MODALITY, at most 256; others are `unexpected`.",
            examples=[("left:image", "right:image", "text")],
        ),
    ] = MODALITIES
    lanes_by_stream: Annotated[
        dict[str, tuple[str, ...]],
        Meta(
            description="Lanes of streams whose names match a pattern; the first match counts, others use `lanes`.",
            examples=[{"lobby-*": ("image", "text"), "hall-*": ("left:image", "text")}],
        ),
    ] = {}
    tolerance_ms: Annotated[int, Meta(ge=0, description="Largest distance in time between a set's members.")] = 50
    out_of_order_ms: Annotated[
        dict[str, Annotated[int, Meta(ge=0)]],
        Meta(
            description="By lane, how far its events may be out of order; 0 for other lanes.",
            examples=[{"image": 100, "text": 50}],
        ),
    ] = {}
    offset_ms: Annotated[
        dict[str, int],
        Meta(
            description="By lane, what is added to its event times; 0 for other lanes.",
            examples=[{"audio": -120}],
        ),
    ] = {}
    max_wait_ms: Annotated[int, Meta(ge=1, description="How long a set waits for a silent lane.")] = 2_000
    pivot: Annotated[str, Meta(description="For `nearest`: the lane whose items each start a set.")] = "text"
    share: Annotated[bool, Meta(description="For `nearest`: whether an item may be in the sets of several pivots.")] = (
        False
    )
    size_ms: Annotated[int, Meta(ge=1, description="For `tumbling`: length of a window.")] = 1_000
    max_set_bytes: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_SET_BYTES,
            description="For `tumbling`: a larger window (64 bytes an event, and its names) becomes several sets.",
        ),
    ] = MAX_SET_BYTES
    require: Annotated[
        tuple[str, ...], Meta(description="Lanes that a set must have to be fused.", examples=[("image",)])
    ] = ()
    stream_ttl_ms: Annotated[int, Meta(ge=1, description="A lane that is silent for this long is forgotten.")] = 600_000
    max_ahead_ms: Annotated[
        int, Meta(ge=0, description="An event further ahead of the broker's clock becomes a dead letter.")
    ] = 60_000
    max_held_events: Annotated[
        int, Meta(ge=1, description="Soft limit of a worker's held records, shared by its partitions.")
    ] = 8_000
    max_held_bytes: Annotated[
        int,
        Meta(ge=1, description="Soft limit of their bytes (values, headers and decoded media), shared likewise."),
    ] = 128 * 2**20
    hard_limit_factor: Annotated[int, Meta(ge=1, description="The hard limits are the soft limits times this.")] = 4
    max_streams: Annotated[
        int, Meta(ge=1, description="Streams remembered by a partition; above it the longest silent one is forgotten.")
    ] = 20_000
    max_remembered_ids: Annotated[
        int, Meta(ge=1, description="Ids that a partition remembers to find duplicates, beside each lane's newest.")
    ] = 60_000

    def __post_init__(self) -> None:
        check_ranges(self)
        every_lane = {lane.name for names in self._lane_lists() for lane in _parse(names)}
        if self.strategy == "nearest":
            _check_pivot(self.pivot, self._lane_lists())
        for setting in ("out_of_order_ms", "offset_ms"):
            _check_known(setting, tuple(getattr(self, setting)), every_lane)
        _check_known("require", self.require, every_lane)

    def _lane_lists(self) -> list[tuple[str, ...]]:
        return [self.lanes, *self.lanes_by_stream.values()]

    def lanes_by_topic(self) -> dict[str, int]:
        """Return the media topics that lanes use, with the largest number of lanes of one stream in each."""
        by_topic: dict[str, int] = {}
        for names in self._lane_lists():
            counts = Counter(media_topic(lane.modality) for lane in _parse(names))
            by_topic |= {topic: max(n_lanes, by_topic.get(topic, 0)) for topic, n_lanes in counts.items()}
        return by_topic

    def lane_names_of(self, stream: str) -> tuple[str, ...]:
        """Return the lanes that a set of `stream` waits for, as the setting spells them."""
        for pattern, names in self.lanes_by_stream.items():
            if fnmatchcase(stream, pattern):
                return names
        return self.lanes

    def lanes_of(self, stream: str) -> tuple[Lane, ...]:
        """Return the lanes that a set of `stream` waits for, in order."""
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
"""These settings say when pressure acts, not what it may decide."""


def fingerprint(settings: JoinSettings, max_event_bytes: int) -> str:
    """Hash all settings that decide a record's outcome, and the contract's version; 16 hexadecimal digits.

    max_event_bytes: size limit of a media record's value.
    """
    deciding = {name: value for name, value in msgspec.structs.asdict(settings).items() if name not in _DECIDE_NOTHING}
    deciding |= {"max_event_bytes": max_event_bytes, "contract": VERSION}
    return blake2b(msgspec.json.encode(deciding, order="deterministic"), digest_size=N_BYTES).hexdigest()
