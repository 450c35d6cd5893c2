"""Headers that are missing, null, repeated, empty, huge, not UTF-8, or say what cannot be."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.wire import contract as c
from tests.support.bad_input.case import Case, changed, good_headers

MEDIA = {"image": b"\xff\xd8\xff", "text": b"\xff", "audio": b"RIFF"}
"""Values that are bad too, so that no such record could be taken if its headers were."""
MEGABYTE = 1_000_000
REQUIRED = (c.H_SPEC_VERSION, c.H_ID, c.H_SOURCE, c.H_TYPE, c.H_SUBJECT, c.H_CONTENT_TYPE)
_NOT_UTF8 = b"\xc3\x28 \xff"
TIMES = [
    "yesterday",
    "2026-03-01",
    "2026-03-01T12:00:00",
    "2026-03-01_12:00:00Z",
    "2026-13-01T12:00:00Z",
    "2026-02-30T12:00:00Z",
    "2026-03-01T24:00:01Z",
    "2026-03-01T12:60:00Z",
    "2016-12-31T23:59:60Z",
    "2026-03-01T12:00:00+25:00",
    "2026-03-01T12:00:00.Z",
    "2026-03-01T12:00:00.1234567890Z",
    "0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00+14:00",
    "3000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "12026-03-01T12:00:00Z",
    "-2026-03-01T12:00:00Z",
    "1772366400250",
    "1e12",
    "NaN",
    "٢٠٢٦-٠٣-٠١T١٢:٠٠:٠٠Z",
]
DURATIONS = (
    *(b"-1 -9223372036854775808 1.5 1e3 86400001 99999999 100000000 2147483648 4294967295 9223372036854775807".split()),
    *(b"NaN inf +5 0x10 1_000".split()),
    *(b"", b" 5", b"5 ", "٥".encode(), b"9" * MEGABYTE, _NOT_UTF8),
)
LANES = (b"left lane", "links-ä".encode(), b"a" * 65, b"a/b", b"..\\..", b"l\xc3\xa4ne", b"*", b"a,b", b"a" * 1_000)
LANGUAGES = (
    b"e",
    b"en_US",
    b"123",
    b"-en",
    b"en-",
    b"en--US",
    b"englishlanguage",
    b"en-" + b"a" * 9,
    b"en" + b"-abcdefgh" * 5,
    "日本".encode(),
)
CONTENT_TYPES = {
    "image": (b"image/gif", b"image/svg+xml", b"image/*", b"image/jpeg; charset=utf-8"),
    "text": (b"text/html", b"text/plain; charset=latin-1", b"text/plain; charset=utf-16", b"text/plain; format=flowed"),
    "audio": (b"audio/mpeg", b"audio/mp4", b"audio/x-wav", b"audio/wav; codecs=1"),
}
ANY_CONTENT_TYPES = (
    *b"application/octet-stream */* video/mp4 / none image/jpeg,image/png".split(),
    *(b" ", b"\xff\xfe", b"a" * MEGABYTE),
)


def headers() -> Iterator[Case]:
    """All of them, for each modality."""
    for modality in c.MODALITIES:
        yield from _required(modality)
        yield from _names_and_ids(modality)
        yield from _types(modality)
        yield from _optional(modality)
        yield from _crowds(modality)


def header_case(kind: str, modality: str, name: str, value: bytes | None, *expected: str) -> Case:
    """A record that has this value in one header; the others are right, its media are not."""
    made = changed(good_headers(modality), name, value)
    shown = value if value is None or len(value) < 40 else f"{len(value)} bytes"
    return Case(kind, f"{modality}: {name} is {shown!r}", modality, MEDIA[modality], frozenset(expected), made)


def _required(modality: str) -> Iterator[Case]:
    good = good_headers(modality)
    for name in REQUIRED:
        value = dict(good)[name]
        for what, values, reason in (
            ("missing", (), "missing_header"), ("empty", (b"",), "missing_header"), ("null", (None,), "bad_header"),
            ("twice the same", (value, value), "bad_header"), ("given twice", (value, b"other"), "bad_header"),
            ("null and given", (None, value), "bad_header"),
        ):  # fmt: skip
            made = changed(good, name, *values)
            yield Case("header", f"{modality}: {name} {what}", modality, MEDIA[modality], frozenset({reason}), made)
    for rest in ((), (("x", b"1"),)):
        yield Case(
            "header", f"{modality}: {len(rest)} headers", modality, MEDIA[modality], frozenset({"missing_header"}), rest
        )


def _names_and_ids(modality: str) -> Iterator[Case]:
    for name, most in ((c.H_ID, c.MAX_ID), (c.H_SOURCE, c.MAX_SOURCE), (c.H_SUBJECT, c.MAX_STREAM)):
        for value in (b"a" * (most + 1), "语".encode() * (most + 1), b"a" * MEGABYTE, _NOT_UTF8, b"\xed\xa0\x80",
                      b"a\0b", b"a\nb", b"\x7f", "a\x85b".encode(), "a\u2028b".encode()):  # fmt: skip
            yield header_case("header", modality, name, value, "bad_header")
    for value in (b"0.3", b"1.1", b"1", b"1.0 ", b"one"):
        yield header_case("header", modality, c.H_SPEC_VERSION, value, "bad_specversion")
    for value in (b"1" * 17, _NOT_UTF8, b"1.0\n"):
        yield header_case("header", modality, c.H_SPEC_VERSION, value, "bad_header")


def _types(modality: str) -> Iterator[Case]:
    own = c.MEDIA_TYPES[modality]
    for value in (
        b"x",
        own[:-1].encode(),
        own.replace("v1", "v2").encode(),
        own.upper().encode(),
        b"syncline.media.smell.v1",
    ):
        yield header_case("header", modality, c.H_TYPE, value, "unknown_type")
    for other in c.MODALITIES:
        if other != modality:
            yield header_case("wrong topic", modality, c.H_TYPE, c.MEDIA_TYPES[other].encode(), "wrong_topic")
            for content_type in c.CONTENT_TYPES[other]:
                yield header_case("content type", modality, c.H_CONTENT_TYPE, content_type.encode(), "bad_content_type")
    for value in (*CONTENT_TYPES[modality], *ANY_CONTENT_TYPES):
        yield header_case("content type", modality, c.H_CONTENT_TYPE, value, "bad_content_type")
    for value in (
        b"application/cloudevents+json",
        b"application/cloudevents-batch+json; charset=utf-8",
        b"Application/CloudEvents",
    ):
        yield header_case("structured mode", modality, c.H_CONTENT_TYPE, value, "structured_mode")
    padded = c.CONTENT_TYPES[modality][0].encode() + b" " * MEGABYTE
    yield header_case("content type", modality, c.H_CONTENT_TYPE, padded, "bad_content_type")


def _optional(modality: str) -> Iterator[Case]:
    for text in TIMES:
        yield header_case("time", modality, c.H_TIME, text.encode(), "bad_time")
    for value in (b"9" * 65, b"a\0", b"1" * MEGABYTE):
        yield header_case("time", modality, c.H_TIME, value, "bad_header")
    for text in ("2999-12-31T23:59:59.999Z", "2100-01-01T00:00:00Z"):
        yield header_case("time", modality, c.H_TIME, text.encode(), "clock")
    for value in DURATIONS:
        yield header_case("duration", modality, c.H_DURATION_MS, value, "bad_duration")
    yield header_case("duration", modality, c.H_DURATION_MS, None, "bad_duration")
    others = [other.encode() for other in c.MODALITIES if other != modality]
    for name, values, reason in ((c.H_LANE, (*LANES, *others), "bad_lane"), (c.H_LANGUAGE, LANGUAGES, "bad_language")):
        for value in values:
            yield header_case(name.removeprefix("ce_"), modality, name, value, reason)
    for name in (c.H_TIME, c.H_LANE, c.H_LANGUAGE, c.H_DATAREF):
        for value, reason in (
            (b"", "missing_header"),
            (None, "bad_header"),
            (b"a\nb", "bad_header"),
            (_NOT_UTF8, "bad_header"),
        ):
            yield header_case("header", modality, name, value, reason)
    yield header_case("dataref", modality, c.H_DATAREF, b"s3://bucket/key", "dataref_refused")


def _crowds(modality: str) -> Iterator[Case]:
    """Headers that nobody asked for do no harm, however many: the record's own fault is what counts."""
    good, media = changed(good_headers(modality), c.H_SPEC_VERSION, b"0.3"), MEDIA[modality]
    for name, more in {
        "10,000 headers": tuple((f"x-{n}", b"1") for n in range(10_000)),
        "a header of 1 MB": (("x", bytes(MEGABYTE)),),
        "a name of 100 kB": (("x" * 100_000, b"1"),),
        "an empty name": (("", b""),),
        "null": (("x", None),),
        "bytes": (("x", bytes(range(256))),),
        "names of signs": (("\0", b"1"), ("\u202e", b"1"), ("ce_\n", b"1")),
    }.items():
        yield Case("crowd", f"{modality}: {name}", modality, media, frozenset({"bad_specversion"}), (*more, *good))
    good = good_headers(modality)
    for name, more in {
        "10,000 headers": tuple((f"x-{n}", b"1") for n in range(10_000)),
        "one header 10,000 times": (("x", b"1"),) * 10_000,
        "a header of 1 MB": (("x", bytes(MEGABYTE)),),
        "a name of 100 kB": (("x" * 100_000, None),),
        "a name of 22,000 signs of three bytes": (("语" * 22_000, b""),),
        "a tracestate of 100 kB": ((c.H_TRACESTATE, b"a" * 100_000),),
    }.items():
        yield Case(
            "crowd", f"{modality}: and {name}", modality, media, frozenset({"headers_too_large"}), (*good, *more)
        )
