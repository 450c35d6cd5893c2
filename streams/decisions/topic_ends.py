"""Whether a media topic ends before a record that the log names: then it is another topic than the log speaks of.

A record can be decided on only once it is below the high watermark, and that never goes back. Without this a topic
that was deleted and made anew would be waited for, in silence, until it had grown to its former length.
"""

from __future__ import annotations

from streams.decisions.holds import Holds
from streams.decisions.recovery import MadeAnewError

SURE_AFTER_MS = 2_000
"""For so long every answer must say so: before its first fetch the embedded broker may tell too low a mark."""


class TopicEnds:
    """Looks at the high watermarks of one partition number's topics. Times are the owner's monotonic clock."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._owning_since_ms = 0
        self._short_since_ms: dict[str, int] = {}

    def start(self, now_ms: int) -> None:
        """The claim was read back: no other owner decides on records that came after this."""
        self._owning_since_ms = now_ms
        self._short_since_ms.clear()

    def check(self, topic: str, high_water: int, asked_ms: int, *, awaited: bool) -> None:
        """The high watermark asked for at `asked_ms`; `awaited`: a decision in the log waits for a record of `topic`.

        Raises `MadeAnewError` where everything below it is here and the awaited record is not.
        """
        if not awaited or asked_ms < self._owning_since_ms or self._holds.topics[topic].position < high_water:
            self._short_since_ms.pop(topic, None)
        elif asked_ms - self._short_since_ms.setdefault(topic, asked_ms) >= SURE_AFTER_MS:
            raise MadeAnewError(topic, f"it ends at offset {high_water}, and the log names a record beyond")
