"""A converter whose extra is missing names the command that installs it."""

from __future__ import annotations

import sys

import pytest

from models.registry import open_converter, parse_spec
from syncline.errors import MissingExtraError


@pytest.mark.parametrize(
    ("spec", "hidden", "extra"),
    [
        ("transcript=whisper", "whisper", "transcribe"),
        ("transcript=huggingface:x", "huggingface_whisper", "huggingface"),
        ("speech=piper", "piper", "piper"),
    ],
)
def test_a_missing_extra_is_named(spec: str, hidden: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what an engine needs cannot be imported, the error has the command that installs it."""
    monkeypatch.setitem(sys.modules, f"models.adapters.{hidden}", None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'syncline\[{extra}\]'"):
        open_converter(parse_spec(spec))
