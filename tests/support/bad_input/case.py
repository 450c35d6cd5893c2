"""One piece of bad input, and what must become of it, by a rule that does not ask the code under test.

A case is made once, for nobody in particular; `place` gives it a stream, a time and an id, so that the same damage
can be sent among the good events of any stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from processors.limits import REASONS
from syncline.wire.contract import CONTENT_TYPES, H_CONTENT_TYPE, H_ID, H_SUBJECT, H_TIME, MODALITIES, media_topic
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.timestamps import format_time
from tests.support.moments import START_MS

FUSED = "fused"
"""Among what is expected: the damage may leave media that are legal, and do no harm."""

STREAM, EVENT_ID, TIME_MS = "nobody", "no-id", START_MS - 1
"""What stands in a case where its place will put its own."""

Header = tuple[str, bytes | None]


class Place(NamedTuple):
    """Where a case is sent: as an event of this stream, with this event time (ms since 1970) and id."""

    stream: str
    time_ms: int
    event_id: str


class Raw(NamedTuple):
    """A record to send: unprefixed topic, key, value, headers; `misplaced`: into another partition than the key's."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    misplaced: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A bad record. `kind` is for counting, `name` says which one it is.

    `expected`: the dead-letter reasons that are right, mostly one; with `FUSED` in it the record may also be taken.
    """

    kind: str
    name: str
    modality: str
    value: bytes | None
    expected: frozenset[str]
    headers: tuple[Header, ...]
    key: bytes | None = STREAM.encode()
    misplaced: bool = False

    def place(self, place: Place) -> Raw:
        """The record at its place. Only what the case has left as it was is filled in."""
        own = {
            (H_SUBJECT, STREAM.encode()): place.stream.encode(),
            (H_ID, EVENT_ID.encode()): place.event_id.encode(),
            (H_TIME, format_time(TIME_MS).encode()): format_time(place.time_ms).encode(),
        }
        headers = [(name, own.get((name, data or b""), data)) for name, data in self.headers]
        key = place.stream.encode() if self.key == STREAM.encode() else self.key
        return Raw(media_topic(self.modality), key, self.value, headers, self.misplaced)


def good_headers(modality: str, content_type: str = "") -> tuple[Header, ...]:
    """Headers in which nothing is wrong."""
    takes = content_type or CONTENT_TYPES[modality][0]
    event = MediaEvent(STREAM, modality, "urn:test:bad", EVENT_ID, TIME_MS, takes)
    return tuple((name, data) for name, data in build_headers(event))


def changed(headers: Iterable[Header], name: str, *values: bytes | None) -> tuple[Header, ...]:
    """The headers with those of `name` replaced: by none, by one, or by several."""
    kept = [header for header in headers if header[0] != name]
    return (*kept, *((name, value) for value in values))


def media_case(kind: str, name: str, content_type: str, value: bytes, *expected: str) -> Case:
    """A case whose headers are right: it is the media that are wrong, or not what the headers say."""
    modality = next(m for m in MODALITIES if content_type in CONTENT_TYPES[m])
    return Case(kind, name, modality, value, frozenset(expected), good_headers(modality, content_type))


def any_reason(*prefixes: str) -> frozenset[str]:
    """All reasons of broken media that begin so, and what every kind of media shares."""
    return frozenset(reason for reason in REASONS if reason.startswith((*prefixes, "content_type_")))


__all__ = [
    "EVENT_ID", "FUSED", "H_CONTENT_TYPE", "STREAM", "TIME_MS", "Case", "Header", "Place", "Raw", "any_reason",
    "changed", "good_headers", "media_case",
]  # fmt: skip
