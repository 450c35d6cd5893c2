"""Text: bytes to checked Unicode, and to what a model and a reader want of it."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from processors.limits import check_size, media_type, refuse
from processors.settings import TextSettings
from syncline.errors import SettingsError

# Before the import: its threads would compete with ours, and it warns after a fork.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


class Tokens:
    """A tokenizer file, loaded once; may be called on several threads at once and releases the GIL.

    path: a `tokenizer.json`. max_tokens: longer texts are cut, special tokens kept.
    Raises `SettingsError` where the file cannot be read.
    """

    def __init__(self, path: str | Path, max_tokens: int = 128) -> None:
        if max_tokens < 1:
            raise SettingsError("max_tokens", max_tokens, "an integer of at least 1")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the binding raises plain Exception
            raise SettingsError("tokenizer", str(path), f"a tokenizer.json ({error})") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)  # pyright: ignore[reportUnknownMemberType]

    def __call__(self, text: str) -> npt.NDArray[np.int32]:
        """Text to int32 (n_tokens,), at least one; raises `MediaError` (`text_no_words`) where nothing is left."""
        ids = np.asarray(self._tokenizer.encode(text).ids, np.int32)
        if not len(ids):
            raise refuse("text_no_words", "the tokenizer finds no token")
        return ids


DEFAULT = TextSettings()
MAX_MARKS = 30
"""Combining marks in a row, Unicode's Stream-Safe limit (UAX #15): normalising n of them takes n^2 steps."""
_CHARSETS = ("utf-8", "utf8", "us-ascii")
_ALLOWED_CONTROLS = "\t\n\r"
_BOM = "\ufeff"


def load_text(data: bytes, content_type: str, settings: TextSettings = DEFAULT) -> str:
    """Decode text: strict UTF-8 to a str in Unicode NFC, with something else than white space in it.

    One byte-order mark in front is dropped. Tab, line feed and carriage return are the only control characters taken.
    Raises `MediaError`: `empty`, `too_many_bytes`, `content_type_unknown`, and all that begin with `text_`.
    """
    _, parameters = media_type(content_type, ("text/plain",))
    if (charset := parameters.get("charset", "utf-8")) not in _CHARSETS:
        raise refuse("text_charset_unknown", f"got {charset[:40]!r}, takes utf-8")
    check_size(data, settings.max_bytes)
    try:
        text = data.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        raise refuse("text_not_utf8", f"byte {error.start}: {error.reason}") from error
    if len(text) > settings.max_characters:
        raise refuse("text_too_many_characters", f"got {len(text)}, takes at most {settings.max_characters}")
    if not text.isascii() or not text.isprintable():
        _check_characters(text)
    text = unicodedata.normalize("NFC", text)
    if not text.strip():
        raise refuse("text_no_words", "got nothing but white space")
    return text


def _check_characters(text: str) -> None:
    n_marks = 0
    for at, char in enumerate(text):
        if unicodedata.combining(char):
            n_marks += 1
            if n_marks > MAX_MARKS:
                raise refuse("text_too_many_marks", f"more than {MAX_MARKS} combining marks at character {at}")
            continue
        n_marks = 0
        if unicodedata.category(char) == "Cc" and char not in _ALLOWED_CONTROLS:
            raise refuse("text_control_character", f"got U+{ord(char):04X} at character {at}")
