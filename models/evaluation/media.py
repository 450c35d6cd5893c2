"""Media files of a manifest to what a model or a converter takes; what cannot be read is named and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from models.evaluation.manifest import Row
from models.interface import Prepared
from syncline.errors import ContractError, MediaError
from syncline.media import sniff_content_type

N_THREADS = 2
Item = TypeVar("Item")


class Broken(msgspec.Struct, frozen=True):
    """A file or text that could not be used: of which line, which field, why."""

    line: int
    id: str
    field: str
    reason: str
    detail: str


Prepare = Callable[[str, bytes, str, str | None], Prepared]
"""Lane, bytes, content type and language to what a model takes; raises MediaError."""


def prepare_lane(row: Row, lane: str, folder: Path, prepare: Prepare) -> Prepared | Broken:
    """Read and prepare one lane of a row. The content type is told by the first bytes, as a producer does."""
    entry = row.entry
    try:
        value: str = getattr(entry, lane)
        data = value.encode() if lane == "text" else (folder / value).read_bytes()
        return prepare(lane, data, sniff_content_type(lane, data), entry.language or None)
    except (MediaError, ContractError) as error:
        return Broken(row.line, entry.id, lane, error.reason, error.detail)
    except OSError as error:
        return Broken(row.line, entry.id, lane, "unreadable", error.strerror or str(error))


def prepare_rows(
    rows: Sequence[Row], lanes: Sequence[str], folder: Path, prepare: Prepare
) -> list[dict[str, Prepared | Broken]]:
    """All of `lanes` that each row has, decoded on a few threads."""

    def one(row: Row) -> dict[str, Prepared | Broken]:
        return {lane: prepare_lane(row, lane, folder, prepare) for lane in lanes if lane in row.entry.lanes()}

    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(one, rows))


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items, `size` at a time."""
    return (items[at : at + size] for at in range(0, len(items), size))


def broken_of(prepared: Iterable[dict[str, Prepared | Broken]]) -> list[Broken]:
    """All that could not be used."""
    return [item for lanes in prepared for item in lanes.values() if isinstance(item, Broken)]
