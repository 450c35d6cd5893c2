"""When a snapshot is written and how: the claim is renewed, the state at that moment is taken and cut, the parts go.

Cutting goes on between other work, decisions included; the parts go one after the other.
"""

from __future__ import annotations

from streams.decisions.entries import SnapshotPart
from streams.decisions.snapshot import Snapshot

REFRESH_MS = 3_600_000
"""Far below any retention of the log: a partition that idles would end with an empty one beside committed offsets."""


class SnapshotWriter:
    """Due every `every_decisions` decisions or `every_ms`, if anything has changed since the last one.

    Where nothing changes it is due every `REFRESH_MS`.
    """

    def __init__(self, now_ms: int, every_decisions: int = 5_000, every_ms: int = 30_000) -> None:
        self._every_decisions, self._every_ms = every_decisions, every_ms
        self._last_ms, self._n_since = now_ms, 0
        self._snapshot: Snapshot | None = None
        self._asked = self._has_just_written = False
        self.renewing = False
        """The renewed claim has not been read back: what is proposed now would be void behind it."""

    def ask(self) -> None:
        """One is due now."""
        self._asked = True

    @property
    def busy(self) -> bool:
        """Whether one was asked for or has begun, and not all of its parts are on their way."""
        return self._asked or self.renewing or self._snapshot is not None

    def count(self, n_decisions: int) -> None:
        """Decisions were read back."""
        self._n_since += n_decisions

    def due(self, now_ms: int) -> bool:
        """Whether it is time; never twice in a row, so that a slow broker gets decisions too.

        Not while one is being cut, unless one is asked for: that one says more, and takes its place.
        """
        if self._has_just_written or (self._snapshot is not None and not self._asked):
            return False
        wait_ms = self._every_ms if self._n_since else REFRESH_MS
        return self._asked or self._n_since >= self._every_decisions or now_ms - self._last_ms >= wait_ms

    def let_others_go(self) -> None:
        """What else there is to propose has its turn."""
        self._has_just_written = False

    def renew(self, now_ms: int) -> None:
        """The claim is being renewed; `begin` follows when it is read back."""
        self._last_ms, self._n_since, self.renewing, self._asked = now_ms, 0, True, False
        self._snapshot = None

    def begin(self, snapshot: Snapshot) -> None:
        """The renewed claim was read back: this is the state under it."""
        self._snapshot, self.renewing, self._has_just_written = snapshot, False, True

    def reset(self) -> None:
        """The claim was lost or is new: a snapshot that had begun is of no use."""
        self._snapshot, self.renewing = None, False

    @property
    def cutting(self) -> bool:
        """Whether `cut` is to be called again soon."""
        return self._snapshot is not None and not self._snapshot.whole

    def cut(self) -> None:
        """Put a bit more of the state into parts."""
        if self._snapshot is not None and not self._snapshot.whole:
            self._snapshot.cut()

    def next_part(self, number: int) -> SnapshotPart | None:
        """The part that goes next, as the entry with this number; None if none waits."""
        if self._snapshot is None or not self._snapshot.whole:
            return None
        part = self._snapshot.next_part(number)
        if self._snapshot.gone:
            self._snapshot = None
        return part
