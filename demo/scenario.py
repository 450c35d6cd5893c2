"""The demo's plan: what it sends, when, and the expected outcomes; and its samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from syncline.errors import SettingsError

SAMPLES_DIR = Path(__file__).resolve().parents[1] / "examples" / "demo"


class Sample(msgspec.Struct, frozen=True):
    """One concept: its label, its picture and sound files, and sentences in English and Chinese."""

    label: str
    image: str
    audio: str
    text_en: str
    text_zh: str


class BrokenFile(msgspec.Struct, frozen=True):
    """A broken file and its expected dead-letter reason."""

    modality: str
    path: str
    content_type: str
    reason: str


class Samples(msgspec.Struct, frozen=True):
    """The content of `samples.json`; paths are relative to its folder."""

    samples: list[Sample]
    broken: list[BrokenFile]


def load_samples(folder: Path = SAMPLES_DIR) -> Samples:
    """Read `samples.json` of `folder`. Raises `SettingsError` if it or a file that it names is missing."""
    index = folder / "samples.json"
    if not index.is_file():
        raise SettingsError("samples", str(folder), "a folder with samples.json")
    found = msgspec.json.decode(index.read_bytes(), type=Samples)
    named = [name for sample in found.samples for name in (sample.image, sample.audio)]
    for name in [*named, *(broken.path for broken in found.broken)]:
        if not (folder / name).is_file():
            raise SettingsError("samples", name, f"a file in {folder}")
    return found


JITTER_MS = 40
TOLERANCE_MS = 50
NOTE_LANE = "note"
MISSING_SHARE = 0.15
SILENT_FROM = 0.6
STREAMS = ("lobby", "street", "dock", "garage", "hall")
SLOWER = {"hall": 6}
"""Factors by which streams are slower: converting a clip takes half a second of CPU time, beside the sets."""


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """One record to send: `at_ms` after the start, with event time `time_ms` after the start.

    `expected` is its outcome: `fused`, or `topic:reason`. `moment` is (stream, number) if it belongs to one, `label`
    that moment's concept.
    """

    at_ms: int
    stream: str
    modality: str
    lane: str
    time_ms: int
    id: str
    expected: str
    moment: tuple[str, int] | None = None
    label: str = ""
    path: Path | None = None
    text: str | None = None
    language: str = ""
    content_type: str = ""
    misrouted: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """All records in sending order, and the worker settings for them."""

    records: list[PlannedEvent]
    period_ms: int
    worker_toml: str


def plan_demo(
    samples: Samples, folder: Path, *, seconds: int, rate: float, seed: int = 7, with_broken: bool = True
) -> Scenario:
    """Plan `seconds` of five streams at `rate` moments a second each, `hall` at fewer; one seed gives one plan.

    with_broken: False leaves out files that cannot be decoded, for a model that decodes nothing.
    """
    random = Random(seed)
    period_ms = max(2 * (TOLERANCE_MS + JITTER_MS), round(1000 / rate))
    n_moments = max(8, seconds * 1000 // period_ms)
    records: list[PlannedEvent] = []
    for stream in STREAMS:
        slower = SLOWER.get(stream, 1)
        for number in range(-(-n_moments // slower)):
            records += _moment(samples, folder, random, stream, number, n_moments, slower * period_ms)
    records = _swap_notes(records, period_ms)
    records += _planted(samples.broken if with_broken else [], folder, records, period_ms, n_moments)
    return Scenario(sorted(records, key=lambda record: record.at_ms), period_ms, _worker_toml(period_ms))


def _worker_toml(period_ms: int) -> str:
    # Several workers on one machine with torch's default number of threads would compete for cores.
    return f"""
n_torch_threads = 1
[join]
tolerance_ms = {TOLERANCE_MS}
max_wait_ms = 1500
[join.lanes_by_stream]
"dock*" = ["image", "{NOTE_LANE}:text", "audio"]
[join.out_of_order_ms]
{NOTE_LANE} = {period_ms + 2 * JITTER_MS}
"""


def _moment(
    samples: Samples, folder: Path, random: Random, stream: str, number: int, n_moments: int, period_ms: int
) -> list[PlannedEvent]:
    sample = samples.samples[random.randrange(len(samples.samples))]
    chinese = stream == "garage"
    found: list[PlannedEvent] = []
    for modality in ("image", "text", "audio"):
        jitter_ms = random.randint(0, JITTER_MS)
        if stream == "street" and random.random() < MISSING_SHARE:
            continue
        if stream == "garage" and modality == "audio" and number >= SILENT_FROM * n_moments:
            continue
        # Independent streams are not in phase.
        time_ms = number * period_ms + STREAMS.index(stream) * period_ms // len(STREAMS) + jitter_ms
        is_text = modality == "text"
        found.append(
            PlannedEvent(
                at_ms=time_ms,
                stream=stream,
                modality=modality,
                lane=NOTE_LANE if is_text and stream == "dock" else modality,
                time_ms=time_ms,
                id=f"{stream}-{modality}-{number}",
                expected="fused",
                moment=(stream, number),
                label=sample.label,
                path=None if is_text else folder / (sample.image if modality == "image" else sample.audio),
                text=(sample.text_zh if chinese else sample.text_en) if is_text else None,
                language=("zh" if chinese else "en") if modality != "image" else "",
            )
        )
    return found


def _swap_notes(records: list[PlannedEvent], period_ms: int) -> list[PlannedEvent]:
    """Send every fourth note of `dock` after the next one."""
    late_ms = period_ms + JITTER_MS // 2
    return [
        _replace(record, at_ms=record.at_ms + late_ms)
        if record.lane == NOTE_LANE and record.moment is not None and record.moment[1] % 4 == 1
        else record
        for record in records
    ]


def _replace(record: PlannedEvent, **changes: object) -> PlannedEvent:
    values = {name: getattr(record, name) for name in PlannedEvent.__dataclass_fields__}
    return PlannedEvent(**(values | changes))  # pyright: ignore[reportArgumentType]  names and types are Planned's own


def _planted(
    broken_files: list[BrokenFile], folder: Path, records: list[PlannedEvent], period_ms: int, n_moments: int
) -> list[PlannedEvent]:
    """Return the faults that the demo plants in `lobby`, each between two moments."""
    middle = n_moments // 2
    gap_ms = period_ms // 2 + JITTER_MS
    planted = [
        PlannedEvent(
            at_ms=(3 + number) * period_ms + gap_ms,
            stream="lobby",
            modality=broken.modality,
            lane=broken.modality,
            time_ms=(3 + number) * period_ms + gap_ms,
            id=f"lobby-broken-{number}",
            expected=f"deadletter:{broken.reason}",
            path=folder / broken.path,
            content_type=broken.content_type,
        )
        for number, broken in enumerate(broken_files)
    ]
    first = next(record for record in records if record.moment == ("lobby", middle) and record.modality == "image")
    planted.append(_replace(first, at_ms=first.at_ms + 1, expected="unfused:duplicate", moment=None))
    old = next(record for record in records if record.moment == ("lobby", middle - 3) and record.modality == "text")
    sent_ms = middle * period_ms + gap_ms
    planted.append(_replace(old, at_ms=sent_ms, id="lobby-late", expected="unfused:late", moment=None))
    lost = _replace(
        old, at_ms=sent_ms + 1, id="lobby-misrouted", expected="deadletter:misrouted", moment=None, misrouted=True
    )
    return [*planted, lost]
