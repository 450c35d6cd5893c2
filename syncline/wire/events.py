"""Media events: a record's CloudEvents headers, parsed strictly and built."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from syncline.errors import ContractError
from syncline.wire import contract as c
from syncline.wire.timestamps import MAX_TIME_MS, format_time, parse_time_ms


class _Mark(str):
    __slots__ = ()


_NAME = _Mark("unreadable")


def unreadable_headers(why: str) -> list[tuple[str, bytes | None]]:
    """Make headers that mark a record as unreadable; `why` is for people."""
    return [(_NAME, why[: c.MAX_DETAIL].encode(errors="replace"))]


def why_unreadable(headers: Sequence[tuple[str, bytes | None]] | None) -> str | None:
    """Return the `why` of `unreadable_headers`, or None for a producer's headers."""
    if headers and type(headers[0][0]) is _Mark:
        return (headers[0][1] or b"").decode()
    return None


Headers = Sequence[tuple[str, bytes | None]]
"""A record's headers, as Kafka clients return them."""

Found = dict[str, bytes | None]

_SPEC_VERSION = c.SPEC_VERSION.encode()
_MODALITY_OF = {name.encode(): modality for modality, name in c.MEDIA_TYPES.items()}
_TOPIC_OF = {modality: c.media_topic(modality) for modality in c.MODALITIES}
_ONCE = frozenset({
    c.H_SPEC_VERSION, c.H_ID, c.H_SOURCE, c.H_TYPE, c.H_TIME, c.H_SUBJECT, c.H_LANE, c.H_DURATION_MS, c.H_LANGUAGE,
    c.H_CONTENT_TYPE, c.H_DATAREF, c.H_RETRIES, c.H_RETRY_OF,
})  # fmt: skip
# Not str.isprintable, which differs between Python versions: all workers must agree.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LANE = re.compile(rf"[A-Za-z0-9._-]{{1,{c.MAX_LANE}}}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
_RETRIES = re.compile(rb"[1-9]\d{0,3}")
_DURATION = re.compile(rb"\d{1,8}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,64})?", re.ASCII)


def check_repeats(headers: Headers) -> None:
    """Raise `bad_header` if a header of the contract is given twice."""
    # Repeats of other headers are normal: tracing agents append their own.
    seen: set[str] = set()
    for name, _ in headers:
        if name in seen:
            raise ContractError("bad_header", f"{name} is given twice")
        if name in _ONCE:
            seen.add(name)


def check_sizes(headers: Headers) -> None:
    """Raise `headers_too_large` if the headers are more, or larger, than a worker keeps with an event."""
    if len(headers) > c.MAX_HEADERS:
        raise ContractError("headers_too_large", f"{len(headers)} headers, at most {c.MAX_HEADERS} are taken")
    n_bytes = header_bytes(headers)
    if n_bytes > c.MAX_HEADER_BYTES:
        raise ContractError(
            "headers_too_large",
            f"the headers have {n_bytes} bytes of names and values, at most {c.MAX_HEADER_BYTES} are taken",
        )


def header_bytes(headers: Headers) -> int:
    """Count the bytes of names and values."""
    return sum(len(name if name.isascii() else name.encode()) + len(value or b"") for name, value in headers)


def missing(name: str, raw: bytes | None, present: bool) -> ContractError:
    """Make the error for an absent, empty or null header."""
    if present and raw is None:
        return ContractError("bad_header", f"{name} is null")
    return ContractError("missing_header", f"{name} is {'empty' if present else 'missing'}")


def read_text(found: Found, name: str, max_chars: int) -> str:
    """Read a required header as text: 1 to `max_chars` characters, no control characters."""
    raw = found.get(name)
    if not raw:
        raise missing(name, raw, name in found)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ContractError("bad_header", f"{name} is not UTF-8: {error}") from error
    if len(text) > max_chars:
        raise ContractError("bad_header", f"{name} has {len(text)} characters, at most {max_chars} are taken")
    if not text.isprintable() and _CONTROL.search(text) is not None:
        raise ContractError("bad_header", f"{name} has control characters: {text[:64]!r}")
    return text


def read_modality(found: Found, topic: str) -> str:
    """Read the modality from `ce_type`; it must match the topic (named without prefix)."""
    if found.get(c.H_SPEC_VERSION) != _SPEC_VERSION:
        version = read_text(found, c.H_SPEC_VERSION, 16)
        raise ContractError("bad_specversion", f"ce_specversion is {version!r}, takes {c.SPEC_VERSION!r}")
    modality = _MODALITY_OF.get(found.get(c.H_TYPE) or b"")
    if modality is None:
        name = read_text(found, c.H_TYPE, c.MAX_SOURCE)
        raise ContractError("unknown_type", f"ce_type is {name!r}, takes {', '.join(c.MEDIA_TYPES.values())}")
    if _TOPIC_OF[modality] != topic:
        raise ContractError("wrong_topic", f"ce_type {c.MEDIA_TYPES[modality]} belongs in {_TOPIC_OF[modality]}")
    return modality


def read_time_ms(found: Found, timestamp_ms: int | None) -> int:
    """Read the event time, ms since 1970: `ce_time`, else the record's timestamp."""
    if c.H_TIME in found:
        return parse_time_ms(read_text(found, c.H_TIME, 64))
    if timestamp_ms is None or not 0 <= timestamp_ms <= MAX_TIME_MS:
        raise ContractError("bad_time", f"no ce_time, and the record's timestamp is {timestamp_ms}")
    return timestamp_ms


@lru_cache(maxsize=256)
def read_content_type(raw: bytes, modality: str) -> str:
    """Read the content type, spelled as in `contract.CONTENT_TYPES`."""
    if len(raw) > c.MAX_CONTENT_TYPE_BYTES:  # because the cache keeps its keys
        raise ContractError(
            "bad_content_type", f"content-type has {len(raw)} bytes, at most {c.MAX_CONTENT_TYPE_BYTES} are taken"
        )
    text = raw.decode(errors="replace")
    kind, _, parameters = text.partition(";")
    kind, parameters = kind.strip().lower(), parameters.strip().lower().replace('"', "")
    for known in c.CONTENT_TYPES[modality]:
        known_kind, _, known_parameters = known.partition(";")
        if kind == known_kind and parameters in ("", known_parameters.strip()):
            return known
    raise ContractError(
        "bad_content_type", f"got {text[:64]!r}, {modality} takes {', '.join(c.CONTENT_TYPES[modality])}"
    )


def read_lane(found: Found, modality: str) -> str:
    """Read `ce_lane`; it must not be the name of another modality."""
    lane = read_text(found, c.H_LANE, c.MAX_SOURCE)
    if _LANE.fullmatch(lane) is None:
        raise ContractError("bad_lane", f"ce_lane is {lane[:64]!r}, takes 1 to {c.MAX_LANE} of A-Z a-z 0-9 . _ -")
    if lane != modality and lane in c.MODALITIES:
        raise ContractError("bad_lane", f"ce_lane of an {modality} event is {lane!r}, the name of another modality")
    return lane


def read_duration_ms(found: Found) -> int:
    """Read `ce_durationms`, in ms."""
    raw = found[c.H_DURATION_MS]
    if not raw or _DURATION.fullmatch(raw) is None or int(raw) > c.MAX_DURATION_MS:
        raise ContractError("bad_duration", f"ce_durationms is {raw and raw[:64]!r}, takes 0 to {c.MAX_DURATION_MS}")
    return int(raw)


def read_language(found: Found) -> str:
    """Read `ce_language`: a well-formed BCP 47 tag, not necessarily of a known language."""
    language = read_text(found, c.H_LANGUAGE, c.MAX_SOURCE)
    if len(language) > c.MAX_LANGUAGE or _LANGUAGE.fullmatch(language) is None:
        raise ContractError("bad_language", f"ce_language is {language[:64]!r}, takes BCP 47 such as en or zh-Hans")
    return language


def read_retries(found: Found) -> int:
    """Read `ce_retries`; 0 if it is malformed, since it does not change what the event is."""
    raw = found[c.H_RETRIES] or b""
    return int(raw) if _RETRIES.fullmatch(raw) else 0


def read_trace(found: Found, name: str) -> str:
    """Read `traceparent` or `tracestate`; "" if it is malformed."""
    # W3C Trace Context: drop a malformed header, keep the event.
    text = (found[name] or b"").decode("ascii", errors="ignore")
    if name == c.H_TRACEPARENT:
        return text if _TRACEPARENT.fullmatch(text) else ""
    return text if len(text) <= c.MAX_TRACESTATE and text.isprintable() else ""


class MediaEvent(msgspec.Struct, frozen=True, gc=False):
    """One media event without its payload: what the record's headers say.

    Attributes:
        stream (str): what the event belongs to, `ce_subject`; the record's key.
        modality (str): `image`, `text` or `audio`.
        source (str): URI of the producer, `ce_source`.
        id (str): unique within the source, `ce_id`.
        time_ms (int): event time, ms since 1970.
        content_type (str): one of `syncline.wire.contract.CONTENT_TYPES`.
        lane (str): which of several sources of one modality. Default: the modality.
        duration_ms (int): the event covers [time_ms, time_ms + duration_ms], ms. Default 0.
        language (str): BCP 47 tag. Default: unknown.
        traceparent (str): W3C trace context. Default: none.
        tracestate (str): W3C trace context. Default: none.
        dataref (str): URI of a payload outside the record; the worker rejects it. Default: none.
        retries (int): how often the event was sent again after being a dead letter. Default 0.

    Example:
        >>> from syncline import MediaEvent
        >>> event = MediaEvent("lobby", "audio", "urn:mic:1", "chunk-7", time_ms=2_000, content_type="audio/wav",
        ...                    duration_ms=500)
        >>> event.lane, event.end_ms, event.topic
        ('audio', 2500, 'media.audio')
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
        """The end of the time that the event covers, ms since 1970."""
        return self.time_ms + self.duration_ms

    @property
    def topic(self) -> str:
        """The modality's topic without prefix."""
        return _TOPIC_OF[self.modality]


def parse_headers(
    topic: str, key: bytes | None, headers: Headers | None, timestamp_ms: int | None, *, any_size: bool = False
) -> MediaEvent:
    """Parse a media record's headers.

    topic: without prefix, e.g. `media.image`. timestamp_ms: the record's own, used if `ce_time` is missing. any_size:
    accept headers of any number and size, for records older than the limit.
    Raises `ContractError` for the first fault. `check_value` checks the value separately: a record with a bad value
    still has a valid time.
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
        raise ContractError("key_mismatch", f"key {key[:256]!r} differs from ce_subject {stream!r}")
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
        check_sizes(headers)  # last: a fault in one header says more
    return event


def check_value(event: MediaEvent, value: bytes | None, max_bytes: int = c.MAX_EVENT_BYTES) -> bytes:
    """Return the record's value if it can be the event's payload; raise `ContractError` otherwise."""
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
    """Build the headers of an event's record; `parse_headers` is the inverse."""
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
