"""Manifests of evaluation: JSON lines with media and the right answers. Reads them and prepares their media."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from models.evaluation.error_rates import words_of
from models.interface import Prepared
from syncline.errors import ContractError, MediaError, SettingsError
from syncline.wire.media import sniff_content_type

LANES = ("image", "text", "audio")
N_SHOWN = 5
"""How many wrong lines an error names."""


class EvaluationEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a manifest.

    Attributes:
        id (str): unique; named where a file is broken.
        image (str | None): path of the picture, relative to the manifest.
        audio (str | None): path of the sound, relative to the manifest.
        text (str | None): what is written about it.
        label (str | None): what it is.
        transcript (str | None): what is said.
        language (str): BCP 47, of text, label and transcript.
    """

    id: str
    image: str | None = None
    audio: str | None = None
    text: str | None = None
    label: str | None = None
    transcript: str | None = None
    language: str = ""

    def lanes(self) -> list[str]:
        """The lanes that it has."""
        return [lane for lane in LANES if getattr(self, lane) is not None]


class EvaluationRow(NamedTuple):
    """An entry and the number of its line."""

    line: int
    entry: EvaluationEntry


def read_manifest(path: Path) -> list[EvaluationRow]:
    """Read and check a manifest.

    Raises:
        SettingsError: the file is empty, or lines are wrong; with their numbers.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("manifest", str(path), f"a file of JSON lines in UTF-8 ({error})") from error
    rows: list[EvaluationRow] = []
    wrong: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = _read_line(line, path.parent)
            if entry.id in seen:
                raise ValueError(f"id {entry.id!r} stands in line {seen[entry.id]} too")
            seen[entry.id] = number
            rows.append(EvaluationRow(number, entry))
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        more = f"; and {len(wrong) - N_SHOWN} more lines" if len(wrong) > N_SHOWN else ""
        takes = f"a line of JSON for each thing: {'; '.join(wrong[:N_SHOWN])}{more}"
        raise SettingsError("manifest", str(path), takes)
    if not rows:
        raise SettingsError("manifest", str(path), "at least one line")
    return rows


def _read_line(line: str, folder: Path) -> EvaluationEntry:
    """Read a line. Raises `ValueError`."""
    try:
        entry = msgspec.json.decode(line, type=EvaluationEntry)
    except msgspec.DecodeError as error:
        raise ValueError(f"{error}; fields are {', '.join(EvaluationEntry.__struct_fields__)}") from error
    if not entry.lanes():
        raise ValueError(f"has none of {', '.join(LANES)}")
    for name in ("id", "image", "audio", "text", "label", "transcript"):
        value = getattr(entry, name)
        if value is not None and not value.strip():
            raise ValueError(f"{name} is empty")
    for name in ("image", "audio"):
        value = getattr(entry, name)
        if value is not None and not (folder / value).is_file():
            raise ValueError(f"{name} {value!r} is no file (paths are relative to the manifest)")
    if entry.transcript is not None and not words_of(entry.transcript):
        raise ValueError(f"transcript {entry.transcript[:40]!r} has no word")
    return entry


N_THREADS = 2
Item = TypeVar("Item")


class BrokenMedia(msgspec.Struct, frozen=True):
    """A file or text that could not be used: its line and field, and why."""

    line: int
    id: str
    field: str
    reason: str
    detail: str


Prepare = Callable[[str, bytes, str, str | None], Prepared]
"""Makes of lane, bytes, content type and language what a model takes; raises `MediaError`."""


def prepare_lane(row: EvaluationRow, lane: str, folder: Path, prepare: Prepare) -> Prepared | BrokenMedia:
    """Read and prepare one lane of a row. The first bytes tell the content type, as with a producer."""
    entry = row.entry
    try:
        value: str = getattr(entry, lane)
        data = value.encode() if lane == "text" else (folder / value).read_bytes()
        return prepare(lane, data, sniff_content_type(lane, data), entry.language or None)
    except (MediaError, ContractError) as error:
        return BrokenMedia(row.line, entry.id, lane, error.reason, error.detail)
    except OSError as error:
        return BrokenMedia(row.line, entry.id, lane, "unreadable", error.strerror or str(error))


def prepare_rows(
    rows: Sequence[EvaluationRow], lanes: Sequence[str], folder: Path, prepare: Prepare
) -> list[dict[str, Prepared | BrokenMedia]]:
    """Prepare those of `lanes` that each row has, on a few threads."""

    def one(row: EvaluationRow) -> dict[str, Prepared | BrokenMedia]:
        return {lane: prepare_lane(row, lane, folder, prepare) for lane in lanes if lane in row.entry.lanes()}

    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(one, rows))


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items, `size` at a time."""
    return (items[at : at + size] for at in range(0, len(items), size))


def broken_of(prepared: Iterable[dict[str, Prepared | BrokenMedia]]) -> list[BrokenMedia]:
    """All that could not be used."""
    return [item for lanes in prepared for item in lanes.values() if isinstance(item, BrokenMedia)]
