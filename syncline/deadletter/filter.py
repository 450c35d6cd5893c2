"""Dead letters as people ask for them: which ones, and how many of each kind."""

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
    """Which dead letters are meant; what is "" or None does not matter.

    `since_ms`, `until_ms`: appended at or after, and before, ms since 1970. `place`: (partition, offset) of the one
    dead letter that is meant.
    """

    reason: str = ""
    stream: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    place: tuple[int, int] | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether it is one of these."""
        return (
            (not self.reason or letter.letter.reason == self.reason)
            and (not self.stream or stream_of(letter.letter) == self.stream)
            and (self.since_ms is None or letter.append_ms >= self.since_ms)
            and (self.until_ms is None or letter.append_ms < self.until_ms)
            and (self.place is None or (letter.partition, letter.offset) == self.place)
        )


def parse_when(option: str, text: str, now_ms: int) -> int | None:
    """RFC 3339, or how long ago (`90s`, `30m`, `12h`, `7d`), as ms since 1970; None for "". Raises `SettingsError`."""
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
    """The stream that the original belongs to by its key, else by its `ce_subject`; "" where it has neither."""
    return (letter.key or dict(letter.headers).get(c.H_SUBJECT, b"")).decode(errors="replace")


@dataclass(slots=True)
class Repeats:
    """Knows letters that were there before: a crash of a worker's may write one twice. `n`: how many repeats it saw."""

    n: int = 0
    _ids: set[str] = field(default_factory=set[str])

    def left_out(self, letters: Iterable[Letter]) -> Iterator[Letter]:
        """The letters that were not there before."""
        for one in letters:
            if one.letter.id in self._ids:
                self.n += 1
            else:
                self._ids.add(one.letter.id)
                yield one


@dataclass(slots=True)
class LetterCounts:
    """Counts letters by reason and stream, and keeps the newest, without their bytes; a repeat counts once."""

    n_newest: int
    counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    newest: list[Letter] = field(default_factory=list[Letter])
    _repeats: Repeats = field(default_factory=Repeats)

    @property
    def n_repeats(self) -> int:
        """How many letters were there before, and were not counted."""
        return self._repeats.n

    def take(self, letters: Iterable[Letter]) -> None:
        """Count some letters, in any order."""
        for one in self._repeats.left_out(letters):
            self.counts[one.letter.reason, stream_of(one.letter)] += 1
            self.newest.append(one._replace(letter=msgspec.structs.replace(one.letter, data=None)))
        self.newest.sort(key=lambda one: (one.append_ms, one.partition, one.offset), reverse=True)
        del self.newest[self.n_newest :]
