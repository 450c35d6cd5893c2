"""What became of each record of a long run, in some twenty bytes a record however often things are said.

Records are numbered: `3 * moment + lane`. An outcome is told from another by a hash of eight bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b

import numpy as np

from syncline.wire.contract import MODALITIES

N_LANES = len(MODALITIES)
_NEVER = ("lost", "doubled", "mixed", "out_of_order", "unknown")


def record_number(moment: int, modality: str) -> int:
    """The number of one record."""
    return moment * N_LANES + MODALITIES.index(modality)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Counts over all records that a producer was told are on the broker.

    sent: those. complete, partial: fused sets; unfused, deadletter: records. lost: records without an outcome. doubled:
    records with two or more that differ. torn: moments of which every record was sent, and that did not come out as one
    whole set. mixed: sets with records of several moments. repeats: outcomes that were said before in the same words.
    out_of_order: sets of a stream that came first after a later one of it. unknown: outcomes of records nobody sent.
    """

    sent: int
    complete: int
    partial: int
    unfused: int
    deadletter: int
    lost: int
    doubled: int
    torn: int
    mixed: int
    repeats: int
    out_of_order: int
    unknown: int

    @property
    def violations(self) -> dict[str, int]:
        """What must never be, where it is."""
        return {name: count for name in _NEVER if (count := getattr(self, name))}

    def export(self) -> dict[str, int]:
        """As plain values."""
        return asdict(self)


class Outcomes:
    """Takes in what was sent and what was said of it, in any order."""

    def __init__(self, n_moments: int) -> None:
        self._sent = np.zeros(n_moments * N_LANES, np.bool_)
        self._has_outcome = np.zeros(n_moments * N_LANES, np.bool_)
        self._doubled = np.zeros(n_moments * N_LANES, np.bool_)
        self._whole = np.zeros(n_moments, np.bool_)
        self._newest_ms: dict[str, int] = {}
        self._said: set[int] = set()
        self._counts = dict.fromkeys(
            ("complete", "partial", "unfused", "deadletter", "mixed", "repeats", "out_of_order", "unknown"), 0
        )
        self.n_sent = self.n_decided = 0
        """Records that were sent, and records with an outcome: equal at the end."""

    def sent(self, record: int) -> None:
        """A producer was told that this record is on the broker."""
        self._sent[record] = True
        self.n_sent += 1

    def fused(self, stream: str, records: Sequence[int], start_ms: int) -> None:
        """A result with these records as its members, of the moment that begins at `start_ms`."""
        if not self._is_new("fused", records):
            return
        moments = {record // N_LANES for record in records}
        whole = len(records) == N_LANES
        self._counts["complete" if whole else "partial"] += 1
        self._counts["mixed"] += len(moments) > 1
        self._counts["out_of_order"] += start_ms < self._newest_ms.get(stream, start_ms)
        self._newest_ms[stream] = max(start_ms, self._newest_ms.get(stream, start_ms))
        if whole and len(moments) == 1:
            self._whole[moments.pop()] = True

    def unfused(self, record: int, reason: str) -> None:
        """A record was published as unfused."""
        self._counts["unfused"] += self._is_new(f"unfused {reason}", (record,))

    def dead_letter(self, record: int, reason: str) -> None:
        """A record was published as a dead letter."""
        self._counts["deadletter"] += self._is_new(f"deadletter {reason}", (record,))

    def _is_new(self, what: str, records: Sequence[int]) -> bool:
        outcome = int.from_bytes(blake2b(f"{what} {sorted(records)}".encode(), digest_size=8).digest())
        if outcome in self._said:
            self._counts["repeats"] += 1
            return False
        self._said.add(outcome)
        for record in records:
            if not 0 <= record < len(self._sent):
                self._counts["unknown"] += 1
            elif self._has_outcome[record]:
                self._doubled[record] = True
            else:
                self._has_outcome[record] = True
                self.n_decided += 1
        return True

    def judge(self) -> Judged:
        """All counts, as of now."""
        whole_sent = self._sent.reshape(-1, N_LANES).all(axis=1)
        unknown = self._counts["unknown"] + int((self._has_outcome & ~self._sent).sum())
        return Judged(
            **self._counts | {"unknown": unknown},
            sent=int(self._sent.sum()),
            lost=int((self._sent & ~self._has_outcome).sum()),
            doubled=int(self._doubled.sum()),
            torn=int((whole_sent & ~self._whole).sum()),
        )
