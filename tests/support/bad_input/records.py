"""Records that are wrong as a whole: their key, their place, their topic, their value."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.wire import contract as c
from tests.support.bad_input.case import STREAM, Case, changed, good_headers
from tests.support.bad_input.headers import MEDIA, MEGABYTE


def records(max_event_bytes: int) -> Iterator[Case]:
    """All of them. `max_event_bytes`: the worker's limit of a value."""
    for modality in c.MODALITIES:
        yield from _keys(modality)
        yield from _values(modality)
    for size in (max_event_bytes + 1, max_event_bytes + 4_096):
        name = f"{size} bytes, {max_event_bytes} are taken"
        yield Case("too large", name, "text", b"a" * size, frozenset({"too_large"}), good_headers("text"))


def _keys(modality: str) -> Iterator[Case]:
    good, media = good_headers(modality), MEDIA[modality]
    for key in (None, b""):
        yield Case("key", f"{modality}: key is {key!r}", modality, media, frozenset({"no_key"}), good, key)
    for key in (b"somebody else", b"\xff\xfe", STREAM.encode() + b"\0", b" " + STREAM.encode(), b"k" * 100_000):
        yield Case("key", f"{modality}: key is {key[:20]!r}", modality, media, frozenset({"key_mismatch"}), good, key)
    for key in (b"\xff\xfe", b"k" * 257, b"k" * MEGABYTE, b"a\0b"):
        named = changed(good, c.H_SUBJECT, key)
        yield Case(
            "key",
            f"{modality}: stream is {len(key)} bytes, {key[:20]!r}",
            modality,
            media,
            frozenset({"bad_header"}),
            named,
            key,
        )
    yield Case("misrouted", f"{modality}: misrouted", modality, media, frozenset({"misrouted"}), good, misplaced=True)


def _values(modality: str) -> Iterator[Case]:
    good = good_headers(modality)
    for value, reason in ((None, "null_value"), (b"", "empty_value")):
        yield Case("value", f"{modality}: value is {value!r}", modality, value, frozenset({reason}), good)
    tombstone = frozenset({"missing_header"})
    yield Case("tombstone", f"{modality}: key alone", modality, None, tombstone, ())
    for value in (None, b"x"):
        refers = changed(good, c.H_DATAREF, b"https://example.org/picture")
        name = f"{modality}: value {value!r} by reference"
        yield Case("dataref", name, modality, value, frozenset({"dataref_refused"}), refers)
    event = b'{"specversion":"1.0","id":"1","source":"s","type":"t"}'
    structured = ((c.H_CONTENT_TYPE, b"application/cloudevents+json"),)
    yield Case("structured mode", f"{modality}: as JSON", modality, event, frozenset({"structured_mode"}), structured)
