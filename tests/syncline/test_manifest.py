"""Laws of `syncline.manifest`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import SettingsError
from syncline.manifest import read_manifest

GOOD: dict[str, Any] = {"stream": "lobby", "modality": "text", "time_ms": 1_000, "text": "hello"}


def write(folder: Path, *lines: dict[str, Any] | str) -> Path:
    path = folder / "manifest.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def test_steps_come_in_the_order_in_which_they_are_due(tmp_path: Path) -> None:
    """Events go out by their times, the earliest at once; after_ms says otherwise for a single one."""
    path = write(
        tmp_path,
        {**GOOD, "id": "second", "time_ms": 1_500},
        "",
        {**GOOD, "id": "first"},
        {**GOOD, "id": "late", "time_ms": 1_100, "after_ms": 9_000},
    )
    assert [(step.entry.id, step.due_ms) for step in read_manifest(path)] == [
        ("first", 0),
        ("second", 500),
        ("late", 9_000),
    ]


def test_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    """A folder with a manifest and its files can be moved."""
    (tmp_path / "frame.png").write_bytes(b"\x89PNG\r\n\x1a\n rest")
    path = write(tmp_path, {"stream": "s", "modality": "image", "time_ms": 0, "path": "frame.png"})
    (step,) = read_manifest(path)
    assert step.file == tmp_path / "frame.png"


def test_a_content_type_lets_broken_files_pass(tmp_path: Path) -> None:
    """What the first bytes do not tell can be said: the service decides what such bytes are worth."""
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    line = {"stream": "s", "modality": "image", "time_ms": 0, "path": "broken.jpg", "content_type": "image/jpeg"}
    assert len(read_manifest(write(tmp_path, line))) == 1


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"stream": None}, ["Expected `str`, got `null`", "$.stream"]),
        ({"time_ms": "noon"}, ["Expected `int`, got `str`", "$.time_ms"]),
        ({"time_ms": -1}, ["bad_time"]),
        ({"modality": "video"}, ["modality is 'video', takes image, text, audio"]),
        ({"langage": "en"}, ["unknown field `langage`", "language"]),
        ({"language": "?"}, ["ce_language is '?'"]),
        ({"lane": "a b"}, ["ce_lane is 'a b'"]),
        ({"duration_ms": -5}, ["ce_durationms"]),
        ({"after_ms": -1}, ["after_ms: got -1, takes an integer of at least 0"]),
        ({"path": "x.txt"}, ["either path or text"]),
        ({"text": None}, ["either path or text"]),
        ({"text": ""}, ["empty_value"]),
        ({"text": "x" * 1_000_001}, ["too_large"]),
        ({"modality": "image"}, ["a path, since the modality is not text"]),
        ({"modality": "image", "text": None, "path": "no.jpg"}, ["path: got 'no.jpg'", "a file that can be read"]),
        ({"modality": "image", "text": None, "path": "note.txt"}, ["bad_content_type", "image/jpeg"]),
    ],
    ids=str,
)
def test_a_bad_line_is_named(tmp_path: Path, changes: dict[str, Any], parts: list[str]) -> None:
    """The error names file and line, what it got and what it takes."""
    (tmp_path / "note.txt").write_text("a note")
    path = write(tmp_path, GOOD, GOOD | changes)
    with pytest.raises(SettingsError) as caught:
        read_manifest(path)
    for part in (f"{path}:2", "got", "takes", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize("line", ["{", "[]", "no json"])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str) -> None:
    """What is not JSON, or no object, is refused with its line."""
    with pytest.raises(SettingsError, match=r"manifest\.jsonl:1: got .*takes JSON with stream, modality"):
        read_manifest(write(tmp_path, line))


def test_an_empty_or_missing_manifest_is_an_error(tmp_path: Path) -> None:
    """Sending nothing is no success."""
    with pytest.raises(SettingsError, match="at least one line"):
        read_manifest(write(tmp_path, ""))
    with pytest.raises(SettingsError, match=r"nowhere\.jsonl"):
        read_manifest(tmp_path / "nowhere.jsonl")
