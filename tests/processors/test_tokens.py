"""Token ids from a tokenizer file made on the spot."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from processors.text import Tokens
from syncline.errors import MediaError, SettingsError


@pytest.fixture
def tokenizer_path(tmp_path: Path) -> Path:
    """A tokenizer that knows `cat`, `dog` and the unknown word."""
    tokenizer = Tokenizer(WordLevel({"?": 0, "cat": 1, "dog": 2}, unk_token="?"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_text_becomes_int32_ids(tokenizer_path: Path) -> None:
    """(n_tokens,), unknown words by the unknown id."""
    ids = Tokens(tokenizer_path)("dog cat bird dog")
    assert ids.dtype == np.int32
    assert ids.tolist() == [2, 1, 0, 2]


def test_long_text_is_cut(tokenizer_path: Path) -> None:
    """At most `max_tokens`."""
    assert Tokens(tokenizer_path, max_tokens=3)("cat " * 100).tolist() == [1, 1, 1]


def test_no_token_at_all_is_refused(tokenizer_path: Path) -> None:
    """A model cannot read an empty row."""
    with pytest.raises(MediaError, match="text_no_words"):
        Tokens(tokenizer_path)("   ")


def test_threads_agree_with_one_thread(tokenizer_path: Path) -> None:
    """One tokenizer serves all decode threads."""
    tokens = Tokens(tokenizer_path)
    texts = ["cat " * n + "dog" for n in range(100)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert [ids.tolist() for ids in pool.map(tokens, texts)] == [tokens(text).tolist() for text in texts]


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    """Missing, or something else."""
    (tmp_path / "x.json").write_text("{}")
    for path in (tmp_path / "missing.json", tmp_path / "x.json"):
        with pytest.raises(SettingsError, match=path.name):
            Tokens(path)


def test_max_tokens_is_at_least_one(tokenizer_path: Path) -> None:
    """0 tokens are no text."""
    with pytest.raises(SettingsError, match="max_tokens: got 0"):
        Tokens(tokenizer_path, max_tokens=0)
