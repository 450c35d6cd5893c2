"""What records cost in memory, from before they are decoded until their outcome is on the broker."""

from __future__ import annotations

from dataclasses import dataclass
from sys import getsizeof
from typing import Any

from models.interface import Prepared
from syncline.wire.events import MediaEvent, header_bytes

HELD_BYTES = 1_000
"""Of a record, whatever it brings: the objects around it, its item, its places in tables."""
_HEADER_BYTES = 150
"""Of a header, beside its name and value: the objects that hold them."""
_WORD_BYTES = 64
"""Of a word, beside its text: the pair that it is in."""


def raw_bytes(raw: Any) -> int:
    """All that one of aiokafka's records holds: value, key, headers."""
    headers = raw.headers or ()
    return len(raw.value or b"") + len(raw.key or b"") + header_bytes(headers) + _HEADER_BYTES * len(headers)


def event_bytes(event: MediaEvent) -> int:
    """The text of an event, up to four bytes a character."""
    texts = (event.stream, event.source, event.id, event.traceparent, event.tracestate, event.dataref)
    return sum(getsizeof(text) for text in texts if text)


def prepared_bytes(prepared: Prepared) -> int:
    """An event's media as its model takes them, and the words that are published of a text."""
    return prepared.n_bytes + sum(getsizeof(word) + _WORD_BYTES for word, _ in prepared.words)


@dataclass(slots=True)
class Payload:
    """What is kept of a record until its outcome is on the broker.

    `raw` is aiokafka's record, needed for a dead letter; `event` is there if its headers are valid, `prepared` if
    its media are too. `is_converted`: its conversions are made, or being made.
    """

    raw: Any
    event: MediaEvent | None = None
    prepared: Prepared | None = None
    is_converted: bool = False
