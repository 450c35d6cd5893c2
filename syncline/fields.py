"""One reader for each header of a media record; `syncline.events` puts them together.

A reader takes the record's headers as a dict and returns the value, or raises `ContractError` with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from syncline import contract as c
from syncline.errors import ContractError
from syncline.timestamps import MAX_TIME_MS, parse_time_ms

Headers = Sequence[tuple[str, bytes | None]]
"""A record's headers as Kafka clients give them."""

Found = dict[str, bytes | None]

_SPEC_VERSION = c.SPEC_VERSION.encode()
_MODALITY_OF = {name.encode(): modality for modality, name in c.MEDIA_TYPES.items()}
_TOPIC_OF = {modality: c.media_topic(modality) for modality in c.MODALITIES}
_ONCE = frozenset({
    c.H_SPEC_VERSION, c.H_ID, c.H_SOURCE, c.H_TYPE, c.H_TIME, c.H_SUBJECT, c.H_LANE, c.H_DURATION_MS, c.H_LANGUAGE,
    c.H_CONTENT_TYPE, c.H_DATAREF, c.H_RETRIES, c.H_RETRY_OF,
})  # fmt: skip
# Not str.isprintable: which characters are printable differs between Python versions, and workers must agree.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LANE = re.compile(rf"[A-Za-z0-9._-]{{1,{c.MAX_LANE}}}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
_RETRIES = re.compile(rb"[1-9]\d{0,3}")
_DURATION = re.compile(rb"\d{1,8}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,64})?", re.ASCII)


def check_repeats(headers: Headers) -> None:
    """Raise `bad_header` where a header that says what the event is, is given twice."""
    # Of all others repeats are nobody's fault: tracing agents append their own to those that are passed on.
    seen: set[str] = set()
    for name, _ in headers:
        if name in seen:
            raise ContractError("bad_header", f"{name} is given twice")
        if name in _ONCE:
            seen.add(name)


def check_sizes(headers: Headers) -> None:
    """Raise `headers_too_large` where there are more, or more bytes of them, than a worker keeps with an event."""
    if len(headers) > c.MAX_HEADERS:
        raise ContractError("headers_too_large", f"{len(headers)} headers, at most {c.MAX_HEADERS} are taken")
    n_bytes = header_bytes(headers)
    if n_bytes > c.MAX_HEADER_BYTES:
        raise ContractError(
            "headers_too_large",
            f"the headers have {n_bytes} bytes of names and values, at most {c.MAX_HEADER_BYTES} are taken",
        )


def header_bytes(headers: Headers) -> int:
    """Names and values together."""
    return sum(len(name if name.isascii() else name.encode()) + len(value or b"") for name, value in headers)


def missing(name: str, raw: bytes | None, present: bool) -> ContractError:
    """The error for a header that is absent, empty or null."""
    if present and raw is None:
        return ContractError("bad_header", f"{name} is null")
    return ContractError("missing_header", f"{name} is {'empty' if present else 'missing'}")


def read_text(found: Found, name: str, max_chars: int) -> str:
    """A required header as text of 1 to `max_chars` characters without control characters."""
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
    """The modality that `ce_type` names, which must be that of the (unprefixed) topic."""
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
    """Event time in ms since 1970: `ce_time`, else the record's timestamp."""
    if c.H_TIME in found:
        return parse_time_ms(read_text(found, c.H_TIME, 64))
    if timestamp_ms is None or not 0 <= timestamp_ms <= MAX_TIME_MS:
        raise ContractError("bad_time", f"no ce_time, and the record's timestamp is {timestamp_ms}")
    return timestamp_ms


@lru_cache(maxsize=256)
def read_content_type(raw: bytes, modality: str) -> str:
    """The content type as `contract.CONTENT_TYPES` spells it."""
    if len(raw) > c.MAX_CONTENT_TYPE_BYTES:  # the cache would keep hundreds of them
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
    """`ce_lane`, which must not be the name of another modality."""
    lane = read_text(found, c.H_LANE, c.MAX_SOURCE)
    if _LANE.fullmatch(lane) is None:
        raise ContractError("bad_lane", f"ce_lane is {lane[:64]!r}, takes 1 to {c.MAX_LANE} of A-Z a-z 0-9 . _ -")
    if lane != modality and lane in c.MODALITIES:
        raise ContractError("bad_lane", f"ce_lane of an {modality} event is {lane!r}, the name of another modality")
    return lane


def read_duration_ms(found: Found) -> int:
    """`ce_durationms` as integer ms."""
    raw = found[c.H_DURATION_MS]
    if not raw or _DURATION.fullmatch(raw) is None or int(raw) > c.MAX_DURATION_MS:
        raise ContractError("bad_duration", f"ce_durationms is {raw and raw[:64]!r}, takes 0 to {c.MAX_DURATION_MS}")
    return int(raw)


def read_language(found: Found) -> str:
    """`ce_language`, well-formed by BCP 47; whether the language exists is not looked up."""
    language = read_text(found, c.H_LANGUAGE, c.MAX_SOURCE)
    if len(language) > c.MAX_LANGUAGE or _LANGUAGE.fullmatch(language) is None:
        raise ContractError("bad_language", f"ce_language is {language[:64]!r}, takes BCP 47 such as en or zh-Hans")
    return language


def read_retries(found: Found) -> int:
    """`ce_retries`, or 0 where it cannot be read: it says how the record came here, not what it is."""
    raw = found[c.H_RETRIES] or b""
    return int(raw) if _RETRIES.fullmatch(raw) else 0


def read_trace(found: Found, name: str) -> str:
    """`traceparent` or `tracestate`, or "" where it cannot be read."""
    # W3C Trace Context: what cannot be read is dropped; it never costs the event.
    text = (found[name] or b"").decode("ascii", errors="ignore")
    if name == c.H_TRACEPARENT:
        return text if _TRACEPARENT.fullmatch(text) else ""
    return text if len(text) <= c.MAX_TRACESTATE and text.isprintable() else ""
