"""Media events: a record's CloudEvents headers, read strictly and quickly, and written.

`parse_headers` is on the worker's path for every record: it decodes no header twice and remembers content types.
Reasons, each for one way in which a record can be wrong: `syncline.contract.REASONS`.
"""

from __future__ import annotations

import msgspec

from syncline import contract as c
from syncline.errors import ContractError
from syncline.fields import (
    Headers,
    check_repeats,
    check_sizes,
    missing,
    read_content_type,
    read_duration_ms,
    read_lane,
    read_language,
    read_modality,
    read_retries,
    read_text,
    read_time_ms,
    read_trace,
)
from syncline.timestamps import format_time
from syncline.unreadable import why_unreadable

_TOPIC_OF = {modality: c.media_topic(modality) for modality in c.MODALITIES}


class MediaEvent(msgspec.Struct, frozen=True, gc=False):
    """One media event without its payload: what the record's headers say.

    `time_ms`: integer ms since 1970, from `ce_time`, else the record's timestamp. The event covers
    [time_ms, time_ms + duration_ms]. `lane` defaults to the modality. `content_type` is normalised to a value of
    `contract.CONTENT_TYPES`. `language`, `traceparent`, `tracestate` and `dataref` are "" where absent. `retries`:
    how many times this event was sent again after it had been a dead letter.
    """

    stream: str
    modality: str
    source: str
    id: str
    time_ms: int
    content_type: str
    lane: str = ""
    duration_ms: int = 0
    language: str = ""
    traceparent: str = ""
    tracestate: str = ""
    dataref: str = ""
    retries: int = 0

    def __post_init__(self) -> None:
        if not self.lane:
            msgspec.structs.force_setattr(self, "lane", self.modality)

    @property
    def end_ms(self) -> int:
        """Where the covered time ends, in ms since 1970."""
        return self.time_ms + self.duration_ms

    @property
    def topic(self) -> str:
        """The unprefixed topic that carries this modality."""
        return _TOPIC_OF[self.modality]


def parse_headers(
    topic: str, key: bytes | None, headers: Headers | None, timestamp_ms: int | None, *, any_size: bool = False
) -> MediaEvent:
    """A media record's headers as an event.

    topic: unprefixed (`media.image`). timestamp_ms: the record's own, used where `ce_time` is missing. any_size:
    however many and large they are; of a record that was taken before they had a limit.
    Raises `ContractError` with the reason for the first thing that is wrong. What is wrong with the *value*
    (null, by reference, empty, too large) is `check_value`'s: such a record's headers still say when it was.
    """
    if not key:
        if (why := why_unreadable(headers)) is not None:
            raise ContractError("unreadable", why)
        raise ContractError("no_key", "the record has no key; the key is the stream's name")
    if not headers:
        raise ContractError("missing_header", "the record has no headers; see docs/contract.md")
    found: dict[str, bytes | None] = dict(headers)
    if len(found) != len(headers):
        check_repeats(headers)
    content_type = found.get(c.H_CONTENT_TYPE)
    if content_type is not None and content_type[:23].lower() == b"application/cloudevents":
        raise ContractError("structured_mode", f"content-type is {content_type[:64]!r}; send in binary mode")
    modality = read_modality(found, topic)
    stream = read_text(found, c.H_SUBJECT, c.MAX_STREAM)
    if found[c.H_SUBJECT] != key:
        raise ContractError("key_mismatch", f"key {key[:256]!r} is unlike ce_subject {stream!r}")
    if not content_type:
        raise missing(c.H_CONTENT_TYPE, content_type, c.H_CONTENT_TYPE in found)
    event = MediaEvent(
        stream,
        modality,
        read_text(found, c.H_SOURCE, c.MAX_SOURCE),
        read_text(found, c.H_ID, c.MAX_ID),
        read_time_ms(found, timestamp_ms),
        read_content_type(content_type, modality),
        read_lane(found, modality) if c.H_LANE in found else modality,
        read_duration_ms(found) if c.H_DURATION_MS in found else 0,
        read_language(found) if c.H_LANGUAGE in found else "",
        read_trace(found, c.H_TRACEPARENT) if c.H_TRACEPARENT in found else "",
        read_trace(found, c.H_TRACESTATE) if c.H_TRACESTATE in found else "",
        read_text(found, c.H_DATAREF, c.MAX_SOURCE) if c.H_DATAREF in found else "",
        read_retries(found) if c.H_RETRIES in found else 0,
    )
    if not any_size:
        check_sizes(headers)  # last: what is wrong with one of them says more
    return event


def check_value(event: MediaEvent, value: bytes | None, max_bytes: int = c.MAX_EVENT_BYTES) -> bytes:
    """The record's value, where it can be an event's payload; else `ContractError` with the reason."""
    if event.dataref:
        raise ContractError("dataref_refused", f"ce_dataref is {event.dataref[:256]!r}; send the bytes themselves")
    if value is None:
        raise ContractError("null_value", "the value is null; a media event's value is the file itself")
    if not value:
        raise ContractError("empty_value", "the value has no bytes; it is the file itself")
    if len(value) > max_bytes:
        raise ContractError("too_large", f"the value has {len(value)} bytes, at most {max_bytes} are taken")
    return value


def build_headers(event: MediaEvent) -> list[tuple[str, bytes]]:
    """The headers of a record that carries `event`; `parse_headers` gives the event back."""
    headers = [
        (c.H_SPEC_VERSION, c.SPEC_VERSION.encode()),
        (c.H_ID, event.id.encode()),
        (c.H_SOURCE, event.source.encode()),
        (c.H_TYPE, c.MEDIA_TYPES[event.modality].encode()),
        (c.H_TIME, format_time(event.time_ms).encode()),
        (c.H_SUBJECT, event.stream.encode()),
        (c.H_CONTENT_TYPE, event.content_type.encode()),
    ]
    if event.lane != event.modality:
        headers.append((c.H_LANE, event.lane.encode()))
    if event.duration_ms:
        headers.append((c.H_DURATION_MS, str(event.duration_ms).encode()))
    for name, text in (
        (c.H_LANGUAGE, event.language),
        (c.H_TRACEPARENT, event.traceparent),
        (c.H_TRACESTATE, event.tracestate),
        (c.H_DATAREF, event.dataref),
        (c.H_RETRIES, str(event.retries) if event.retries else ""),
    ):
        if text:
            headers.append((name, text.encode()))
    return headers
