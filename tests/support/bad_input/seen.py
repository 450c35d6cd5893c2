"""What came out of a run with bad input, held against what was sent as it is read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from syncline.wire.contract import DEADLETTER, FUSED
from syncline.wire.deadletters import DeadLetter, decode_dead_letter
from syncline.wire.results import decode_fused
from tests.support.bad_input.case import FUSED as TAKEN
from tests.support.bad_input.mix import Line, SentMix
from tests.support.judge import Outcomes

MAX_GAP_S = 10.0
"""Between two sets of good events, on a machine that does other work too."""
N_STRETCHES, SLACK_MS = 20, 2_000
"""Of the dead letters; a stretch may be a burst of a tenth of a second, so it is looked at with what lies around it."""


@dataclass
class Seen:
    """What was read of the topics in which a record can end, compared with what was sent as it comes."""

    sent: SentMix
    outcomes: Outcomes = field(default_factory=Outcomes)
    letters: dict[tuple[str, int, int], DeadLetter] = field(default_factory=dict[tuple[str, int, int], DeadLetter])
    letters_at_ms: list[int] = field(default_factory=list[int])
    """When each dead letter was appended, as the broker or the worker says."""
    sets_at_ms: list[int] = field(default_factory=list[int])
    """The same of complete sets, which only good events make."""

    def take(self, topic: str, record: Any) -> None:
        """Note one record of a result topic."""
        self.outcomes.take(topic, record)
        if topic == FUSED and decode_fused(record.value).outcome == "complete":
            self.sets_at_ms.append(record.timestamp)
        elif topic == DEADLETTER:
            letter = decode_dead_letter(record.key, record.value, record.headers)
            self.letters[letter.topic, letter.partition, letter.offset] = letter
            self.letters_at_ms.append(record.timestamp)

    @property
    def n_left(self) -> int:
        """Records that were sent and have no outcome yet."""
        return len((self.sent.good.records.keys() | self.sent.bad.keys()) - self.outcomes.by_record.keys())

    def wrong(self) -> Iterator[str]:
        """What became of bad records as it must not, in words."""
        for place, line in self.sent.bad.items():
            assert line.case is not None
            ends = {_reason(end) for end in self.outcomes.by_record[place]}
            if len(ends) != 1 or not ends <= line.case.expected:
                yield f"{line.case.name}: {sorted(ends)}, expected {sorted(line.case.expected)}"
            elif place in self.letters:
                yield from _unlike(line, self.letters[place])

    def wrong_of_good(self) -> list[str]:
        """What became of good events as it must not, in words."""
        good = Outcomes(fused={}, order=self.outcomes.order, differing=self.outcomes.differing)
        places = self.sent.good.records.keys()
        good.by_record |= {place: ends for place, ends in self.outcomes.by_record.items() if place in places}
        good.fused |= {
            name: result
            for name, result in self.outcomes.fused.items()
            if all((m.topic, m.partition, m.offset) in places for m in result.members)
        }
        torn = good.n_torn(self.sent.good)
        return good.violations(self.sent.good) + ([f"{torn} good moments are not whole"] if torn else [])

    def stalls(self) -> Iterator[str]:
        """Where good events stopped coming out, in words: for long, or while a stretch of dead letters was written."""
        sets, letters = sorted(self.sets_at_ms), sorted(self.letters_at_ms)
        longest_ms = max(after - before for before, after in itertools.pairwise(sets))
        if longest_ms > MAX_GAP_S * 1_000:
            yield f"no set for {longest_ms} ms"
        for number in range(N_STRETCHES):
            begin, end = (letters[k * (len(letters) - 1) // N_STRETCHES] for k in (number, number + 1))
            if not any(begin - SLACK_MS <= at <= end + SLACK_MS for at in sets):
                yield f"no set while dead letters of stretch {number} were written, {end - begin} ms"


def _reason(end: str) -> str:
    return TAKEN if end.startswith("fused") else end.removeprefix("deadletter ")


def _unlike(line: Line, letter: DeadLetter) -> Iterator[str]:
    """Where a dead letter is not what was sent: its bytes always, its headers as far as they are not cut."""
    raw = line.raw
    if (letter.key, letter.data) != (raw.key, raw.value):
        yield f"{line.case and line.case.name}: other bytes than were sent"
    headers = tuple((name, data or b"") for name, data in raw.headers)
    n_whole = max(0, len(letter.headers) - 1) if letter.cut == ("headers",) else max(len(headers), len(letter.headers))
    if letter.headers[:n_whole] != headers[:n_whole]:
        yield f"{line.case and line.case.name}: other headers than were sent"
