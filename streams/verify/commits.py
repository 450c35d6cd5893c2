"""One topic's committed offsets over the samples: which was the first above an offset."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from streams.verify.history import CommitSample


class Commits:
    """Of one topic and partition number, over all samples."""

    def __init__(self, topic: str, partition: int, samples: Sequence[CommitSample]) -> None:
        self._offsets: list[int] = []
        self._samples: list[CommitSample] = []
        for sample in samples:
            committed = sample.committed.get((topic, partition), 0)
            if not self._offsets or committed > self._offsets[-1]:
                self._offsets.append(committed)
                self._samples.append(sample)

    def first_above(self, offset: int) -> CommitSample | None:
        """The first sample that committed past `offset`."""
        at = bisect_right(self._offsets, offset)
        return self._samples[at] if at < len(self._samples) else None
