"""Media records as aiokafka gives them, made without a broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from syncline.wire.contract import CONTENT_TYPES
from syncline.wire.events import MediaEvent, build_headers
from tests.support.moments import START_MS


def event(modality: str = "image", **changes: Any) -> MediaEvent:
    """An event of stream `s`."""
    fields: dict[str, Any] = {
        "stream": "s", "modality": modality, "source": "urn:x", "id": "1", "time_ms": START_MS,
        "content_type": CONTENT_TYPES[modality][0],
    }  # fmt: skip
    return MediaEvent(**fields | changes)


def raw(of: MediaEvent | None = None, offset: int = 0, value: bytes | None = b"x", **changes: Any) -> Any:
    """The record that carries an event."""
    of = of or event()
    fields = {
        "key": of.stream.encode(), "value": value, "headers": build_headers(of), "offset": offset,
        "timestamp": START_MS + 5,
    }  # fmt: skip
    return SimpleNamespace(**fields | changes)
