"""Bytes that are no text, and text that no honest program writes."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.wire.contract import CONTENT_TYPES
from tests.support.bad_input.case import Case, media_case

UTF8_BREACHES = {
    "overlong of 2, /": b"\xc0\xaf",
    "overlong of 2, NUL": b"\xc0\x80",
    "overlong of 2, DEL": b"\xc1\xbf",
    "overlong of 3, /": b"\xe0\x80\xaf",
    "overlong of 3, U+07FF": b"\xe0\x9f\xbf",
    "overlong of 4, /": b"\xf0\x80\x80\xaf",
    "overlong of 4, U+FFFF": b"\xf0\x8f\xbf\xbf",
    "overlong of 5": b"\xf8\x80\x80\x80\xaf",
    "overlong of 6": b"\xfc\x80\x80\x80\x80\xaf",
    "surrogate U+D800": b"\xed\xa0\x80",
    "surrogate U+DBFF": b"\xed\xaf\xbf",
    "surrogate U+DFFF": b"\xed\xbf\xbf",
    "pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "lead of 5": b"\xf8\x88\x80\x80\x80",
    "lead of 6": b"\xfc\x84\x80\x80\x80\x80",
    "0xFE": b"\xfe",
    "0xFF": b"\xff",
    "BOM of UTF-16": b"\xff\xfea\0",
    "cut after 1 of 2": b"\xc3",
    "cut after 1 of 3": b"\xe4",
    "cut after 2 of 3": b"\xe4\xbd",
    "cut after 1 of 4": b"\xf0",
    "cut after 2 of 4": b"\xf0\x9f",
    "cut after 3 of 4": b"\xf0\x9f\x98",
    "two leads": b"\xc3\xc3\xa9",
    "latin-1": "é".encode("latin-1"),
    "lead before ASCII": b"\xe4a",
    "gbk": "你好".encode("gbk"),
    "a gzip": b"\x1f\x8b\x08\0",
}
"""Each way of breaking UTF-8, by name."""
_MARK = "\N{COMBINING ACUTE ACCENT}"
_LONG_MARKS = 30
TEN_MB = 10_000_000


def texts() -> Iterator[Case]:
    """All but the ten megabytes, which only go where the topic lets them: `ten_megabytes_of_marks`."""
    yield from _not_utf8()
    yield from _control_characters()
    yield from _too_much()


def text_case(kind: str, name: str, value: bytes, *expected: str) -> Case:
    """A text record with right headers."""
    return media_case(kind, name, CONTENT_TYPES["text"][0], value, *expected)


def ten_megabytes_of_marks() -> bytes:
    """One letter under ten megabytes of accents."""
    return b"a" + _MARK.encode() * (TEN_MB // 2)


def _not_utf8() -> Iterator[Case]:
    lone = {f"lone continuation 0x{byte:02x}": bytes([byte]) for byte in range(0x80, 0xC0)}
    for name, breach in (UTF8_BREACHES | lone).items():
        for where, data in {
            "alone": breach,
            "at the start": breach + b" a",
            "in the midst": b"a " + breach + b" b",
            "at the end": "语 ".encode() + breach,
        }.items():
            yield text_case("not UTF-8", f"{name} {where}", data, "text_not_utf8")
    for charset in ("utf-16", "utf-32", "utf-16-le", "latin-1", "shift_jis", "cp1252"):
        data = ("Straße" if charset in ("latin-1", "cp1252") else "日本語").encode(charset)
        reasons = ("text_not_utf8", "text_control_character")
        yield text_case("not UTF-8", f"text in {charset}", data, *reasons)


def _control_characters() -> Iterator[Case]:
    codes = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"]
    for code in codes:
        yield text_case("control character", f"U+{code:04X}", f"a{chr(code)}b".encode(), "text_control_character")


def _too_much() -> Iterator[Case]:
    for name, data in {
        "a space": b" ",
        "tabs and lines": b"\t\r\n" * 100,
        "a BOM": "\ufeff".encode(),
        "64 KiB of spaces": b" " * 16_000,
        "spaces of all kinds": "\u00a0\u2003\u3000\u2028".encode(),
    }.items():
        yield text_case("no words", name, data, "text_no_words")
    yield text_case("too much text", "16,001 letters", b"a" * 16_001, "text_too_many_characters")
    yield text_case("too much text", "21,000 ideographs", "语".encode() * 21_000, "text_too_many_characters")
    yield text_case("too much text", "65,537 bytes", b"a" * 65_537, "too_many_bytes")
    yield text_case("too much text", "900 kB of one letter", b"a" * 900_000, "too_many_bytes")
    for n in (_LONG_MARKS + 1, 1_000, 15_000):
        for at, before in (("start", ""), ("letter", "a"), ("ideograph", "语")):
            data = (before + _MARK * n).encode()
            yield text_case("too many marks", f"{n} marks at the {at}", data, "text_too_many_marks")
    zalgo = "".join(letter + "\u0300\u0316\u0334" * 11 for letter in "HE COMES")
    yield text_case("too many marks", "zalgo", zalgo.encode(), "text_too_many_marks")
    yield text_case("too many marks", "900 kB of marks", b"a" + _MARK.encode() * 450_000, "too_many_bytes")
