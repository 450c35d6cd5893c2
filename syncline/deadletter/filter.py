"""Filters and counts dead letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from syncline.errors import ContractError, SettingsError
from syncline.wire import contract as c
from syncline.wire.deadletters import DeadLetter
from syncline.wire.timestamps import parse_time_ms

_AGO = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Letter(NamedTuple):
    """A dead letter and its record: partition, offset, append time in ms since 1970, bytes of the value."""

    partition: int
    offset: int
    append_ms: int
    letter: DeadLetter
    n_bytes: int


class DeadLetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A selection of dead letters; "" or None selects all.

    Attributes:
        reason (str): only those with this reason. Default: any.
        stream (str): only those of this stream. Default: any.
        since_ms (int | None): appended at or after, ms since 1970. Default: any time.
        until_ms (int | None): appended before, ms since 1970. Default: any time.
        place (tuple[int, int] | None): partition and offset of a single dead letter. Default: all.
    """

    reason: str = ""
    stream: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    place: tuple[int, int] | None = None

    def takes(self, letter: Letter) -> bool:
        """Tell whether a dead letter is selected."""
        return (
            (not self.reason or letter.letter.reason == self.reason)
            and (not self.stream or stream_of(letter.letter) == self.stream)
            and (self.since_ms is None or letter.append_ms >= self.since_ms)
            and (self.until_ms is None or letter.append_ms < self.until_ms)
            and (self.place is None or (letter.partition, letter.offset) == self.place)
        )


def parse_when(option: str, text: str, now_ms: int) -> int | None:
    """Read a time, RFC 3339 or an age such as `90s`, as ms since 1970; None for "". Raises `SettingsError`."""
    if not text:
        return None
    if (ago := _AGO.fullmatch(text)) is not None:
        return max(0, now_ms - int(ago[1]) * _UNIT_MS[ago[2]])
    try:
        return parse_time_ms(text)
    except ContractError as error:
        takes = "a time such as 2026-03-01T12:00:00Z, or how long ago: 90s, 30m, 12h, 7d"
        raise SettingsError(option, text, takes) from error


def stream_of(letter: DeadLetter) -> str:
    """Return the original's stream: its key, else its `ce_subject`, else ""."""
    return (letter.key or dict(letter.headers).get(c.H_SUBJECT, b"")).decode(errors="replace")


@dataclass(slots=True)
class Repeats:
    """Drops repeated letters, which a worker's crash may write. `n` counts them."""

    n: int = 0
    _ids: set[str] = field(default_factory=set[str])

    def left_out(self, letters: Iterable[Letter]) -> Iterator[Letter]:
        """Yield the letters that are no repeats."""
        for one in letters:
            if one.letter.id in self._ids:
                self.n += 1
            else:
                self._ids.add(one.letter.id)
                yield one


@dataclass(slots=True)
class LetterCounts:
    """Counts letters by reason and stream without repeats, and keeps the newest without their bytes."""

    n_newest: int
    counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    newest: list[Letter] = field(default_factory=list[Letter])
    _repeats: Repeats = field(default_factory=Repeats)

    @property
    def n_repeats(self) -> int:
        """The number of repeats, which are not counted."""
        return self._repeats.n

    def take(self, letters: Iterable[Letter]) -> None:
        """Count letters, in any order."""
        for one in self._repeats.left_out(letters):
            self.counts[one.letter.reason, stream_of(one.letter)] += 1
            self.newest.append(one._replace(letter=msgspec.structs.replace(one.letter, data=None)))
        self.newest.sort(key=lambda one: (one.append_ms, one.partition, one.offset), reverse=True)
        del self.newest[self.n_newest :]
