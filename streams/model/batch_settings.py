"""Limits of the batcher, as one frozen value that is checked once."""

from __future__ import annotations

import msgspec

from syncline.errors import SettingsError


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the batcher. Raises `SettingsError` with the setting, what it got and what it takes.

    `max_items`, `max_cost`: size of a batch, by count and by the model's own measure (pixels + audio
    milliseconds + tokens); an item that is dearer than `max_cost` goes alone. `max_wait_ms`: how long a batch waits
    for more, from its first item. `max_queued`: items that wait; further callers wait for room.
    `retry_min_ms`, `retry_max_ms`: pauses between probes of a model that is down; each is twice the last.
    """

    max_items: int = 32
    max_cost: int = 16_000_000
    max_wait_ms: int = 0
    max_queued: int = 128
    retry_min_ms: int = 100
    retry_max_ms: int = 10_000

    def __post_init__(self) -> None:
        at_least = {"max_items": 1, "max_cost": 1, "max_wait_ms": 0, "retry_min_ms": 1}
        at_least |= {"max_queued": self.max_items, "retry_max_ms": self.retry_min_ms}
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise SettingsError(name, getattr(self, name), f"an integer of at least {least}")
