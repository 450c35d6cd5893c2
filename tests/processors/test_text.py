"""Text: strict UTF-8, NFC, limits, and what must not cost time."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.settings import TextSettings
from processors.text import MAX_MARKS, load_text
from syncline.errors import MediaError

PLAIN = "text/plain; charset=utf-8"
WIDE = TextSettings(max_bytes=2**25, max_characters=2**25)


def reason_of(data: bytes, content_type: str = PLAIN, settings: TextSettings = TextSettings()) -> str:  # noqa: B008
    """The reason for which `load_text` refuses."""
    with pytest.raises(MediaError) as caught:
        load_text(data, content_type, settings)
    return caught.value.reason


@pytest.mark.parametrize(
    "content_type", ["text/plain", PLAIN, 'Text/Plain; Charset="UTF-8"', "text/plain;charset=utf8"]
)
def test_utf_8_by_all_its_names(content_type: str) -> None:
    """Case, quotes and a missing charset do not matter."""
    assert load_text("猫 äö".encode(), content_type) == "猫 äö"


def test_the_result_is_nfc() -> None:
    """e with a combining acute accent is é, and a Hangul syllable is one character."""
    assert load_text("cafe\u0301 \u1112\u1161\u11ab".encode(), PLAIN) == "caf\u00e9 \ud55c"


def test_one_byte_order_mark_is_dropped() -> None:
    """The first only; a second one is a character like others."""
    assert load_text("\ufeff\ufeffa".encode(), PLAIN) == "\ufeffa"


def test_lines_and_tabs_are_kept() -> None:
    """The three control characters that text is made with."""
    assert load_text(b"a\tb\r\nc", PLAIN) == "a\tb\r\nc"


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"])
def test_what_is_not_strict_utf_8_is_refused(bad: bytes) -> None:
    """Cut, overlong, surrogates, beyond Unicode, stray."""
    assert reason_of(b"abc" + bad) == "text_not_utf8"


@pytest.mark.parametrize("code", [0, 1, 7, 8, 0x0B, 0x1B, 0x7F, 0x80, 0x9F])
def test_control_characters_are_refused(code: int) -> None:
    """NUL, escape sequences for terminals, and the C1 range."""
    assert reason_of(f"ab{chr(code)}c".encode()) == "text_control_character"


@pytest.mark.parametrize("blank", [" ", "\n\t ", "\u3000", "\ufeff", "\ufeff \u00a0"])
def test_nothing_but_white_space_is_refused(blank: str) -> None:
    """Blank text says nothing."""
    assert reason_of(blank.encode()) == "text_no_words"


def test_no_bytes_are_refused() -> None:
    """An empty value."""
    assert reason_of(b"") == "empty"


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", ""])
def test_other_charsets_are_refused(charset: str) -> None:
    """Nothing is guessed."""
    assert reason_of(b"abc", f"text/plain; charset={charset}") == "text_charset_unknown"


def test_other_types_are_refused() -> None:
    """HTML is no plain text."""
    assert reason_of(b"abc", "text/html") == "content_type_unknown"


def test_limits_count_bytes_and_characters() -> None:
    """Three Chinese characters are nine bytes."""
    data = "我们在".encode()
    assert load_text(data, PLAIN, TextSettings(max_bytes=9, max_characters=3)) == "我们在"
    assert reason_of(data, PLAIN, TextSettings(max_bytes=8)) == "too_many_bytes"
    assert reason_of(data, PLAIN, TextSettings(max_characters=2)) == "text_too_many_characters"


def test_marks_in_a_row_are_limited() -> None:
    """30 is Unicode's own limit; one more is refused."""
    assert load_text(("a" + "\u0301" * MAX_MARKS).encode(), PLAIN)
    assert reason_of(("a" + "\u0301" * (MAX_MARKS + 1)).encode()) == "text_too_many_marks"


def test_ten_megabytes_of_combining_characters_cost_little() -> None:
    """In alternating order, normalising them would take hours: refused by size, or by their number."""
    data = ("a" + "\u0301\u0316" * 2_500_000).encode()
    start_s = time.process_time()
    assert reason_of(data) == "too_many_bytes"
    assert reason_of(data, PLAIN, WIDE) == "text_too_many_marks"
    assert time.process_time() - start_s < 5


@given(st.binary(max_size=60))
def test_any_bytes_give_nfc_text_or_a_media_error(data: bytes) -> None:
    """Nothing else comes out."""
    try:
        text = load_text(data, PLAIN)
    except MediaError:
        return
    assert unicodedata.is_normalized("NFC", text)
    assert text.strip()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_clean_text_comes_back_as_its_nfc(text: str) -> None:
    """Short text without control characters is only refused for being blank."""
    plain = text.removeprefix("\ufeff")
    if plain.strip() and sum(map(unicodedata.combining, plain)) == 0:
        assert load_text(text.encode(), PLAIN) == unicodedata.normalize("NFC", plain)
