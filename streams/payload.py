"""The memory that records take until their outcome is on the broker."""

from __future__ import annotations

from dataclasses import dataclass
from sys import getsizeof
from typing import Any

from models.interface import Prepared
from syncline.wire.events import MediaEvent, header_bytes

HELD_BYTES = 1_000
"""A record without its content: its objects, its item, its table entries."""
_HEADER_BYTES = 150
"""A header without its name and value."""
_WORD_BYTES = 64
"""A word without its text."""


def raw_bytes(raw: Any) -> int:
    """Return the memory of an aiokafka record: value, key, headers."""
    headers = raw.headers or ()
    return len(raw.value or b"") + len(raw.key or b"") + header_bytes(headers) + _HEADER_BYTES * len(headers)


def event_bytes(event: MediaEvent) -> int:
    """Return the memory of an event's text, up to four bytes a character."""
    texts = (event.stream, event.source, event.id, event.traceparent, event.tracestate, event.dataref)
    return sum(getsizeof(text) for text in texts if text)


def prepared_bytes(prepared: Prepared) -> int:
    """Return the memory of prepared media and of a text's words."""
    return prepared.n_bytes + sum(getsizeof(word) + _WORD_BYTES for word, _ in prepared.words)


@dataclass(slots=True)
class Payload:
    """What is kept of a record until its outcome is on the broker.

    `raw` is aiokafka's record, needed for a dead letter. `event` is set if its headers are valid, `prepared` if its
    media are too. `is_converted`: its conversions are made or being made.
    """

    raw: Any
    event: MediaEvent | None = None
    prepared: Prepared | None = None
    is_converted: bool = False
