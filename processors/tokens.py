"""Token ids for a model, by a Hugging Face `tokenizer.json`."""

from __future__ import annotations

import os
from pathlib import Path

# Before the import: its threads would compete with ours, and it warns after a fork.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from processors.limits import refuse
from syncline.errors import SettingsError


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
        self.n_vocabulary = self._tokenizer.get_vocab_size()

    def __call__(self, text: str) -> npt.NDArray[np.int32]:
        """Text to int32 (n_tokens,), at least one; raises `MediaError` (`text_no_words`) where nothing is left."""
        ids = np.asarray(self._tokenizer.encode(text).ids, np.int32)
        if not len(ids):
            raise refuse("text_no_words", "the tokenizer finds no token")
        return ids
