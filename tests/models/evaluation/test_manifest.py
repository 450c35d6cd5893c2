"""A manifest is checked as a whole; what is wrong is said with the number of its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.evaluation.manifest import read_manifest
from models.evaluation.run import tasks_of
from syncline.errors import SettingsError


def manifest(folder: Path, *lines: str) -> Path:
    """A manifest of some lines, with a picture and a clip beside it."""
    (folder / "a.png").write_bytes(b"picture")
    (folder / "a.wav").write_bytes(b"clip")
    path = folder / "some.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    """Empty lines and a byte-order mark do not matter."""
    path = manifest(
        tmp_path, '\ufeff{"id": "1", "image": "a.png"}', "", '{"id": "2", "text": "苹果", "language": "zh"}', ""
    )
    rows = read_manifest(path)
    assert [row.line for row in rows] == [1, 3]
    assert rows[1].entry.lanes() == ["text"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: "),
        ('{"id": "x", "picture": "a.png"}', "line 2: .*picture.*fields are id, image, audio"),
        ('{"image": "a.png"}', "line 2: .*id"),
        ('{"id": 7, "image": "a.png"}', "line 2: .*str"),
        ('{"id": "1", "text": "twice"}', "line 2: id '1' stands in line 1 too"),
        ('{"id": "x", "label": "cat"}', "line 2: has none of image, text, audio"),
        ('{"id": "x", "image": "b.png"}', r"line 2: image 'b\.png' is no file"),
        ('{"id": "x", "text": " "}', "line 2: text is empty"),
        ('{"id": "x", "audio": "a.wav", "transcript": "?!"}', "line 2: transcript .* has no word"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    """The error has the file, the line's number and what is wrong with it."""
    path = manifest(tmp_path, '{"id": "1", "image": "a.png"}', line)
    with pytest.raises(SettingsError, match=rf"some\.jsonl.*{said}"):
        read_manifest(path)


def test_several_wrong_lines_are_told_at_once(tmp_path: Path) -> None:
    """Five by number, and how many more there are."""
    path = manifest(tmp_path, *["{"] * 8)
    with pytest.raises(SettingsError, match=r"line 5: .*and 3 more lines"):
        read_manifest(path)


@pytest.mark.parametrize("data", [None, b"", b"\n\n", b"\xff\xfe{"])
def test_no_manifest_is_refused(tmp_path: Path, data: bytes | None) -> None:
    """A file that is missing, empty or no UTF-8."""
    path = tmp_path / "some.jsonl"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SettingsError, match=r"some\.jsonl"):
        read_manifest(path)


def test_tasks_are_what_the_fields_allow(tmp_path: Path) -> None:
    """Labels want a label, retrieval two lines with the same two lanes, transcripts audio with what is said."""
    both = ['{"id": "1", "image": "a.png", "text": "a"}', '{"id": "2", "image": "a.png", "text": "b"}']
    assert tasks_of(read_manifest(manifest(tmp_path, *both)), []) == ["retrieval"]
    heard = '{"id": "3", "audio": "a.wav", "transcript": "hello", "label": "greeting"}'
    assert tasks_of(read_manifest(manifest(tmp_path, heard)), []) == ["labels", "transcript"]
    rows = read_manifest(manifest(tmp_path, *both, heard))
    assert tasks_of(rows, []) == ["labels", "retrieval", "transcript"]
    assert tasks_of(rows, ["transcript"]) == ["transcript"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (["captions"], "labels, retrieval, transcript"),
        (["transcript"], "audio and transcript"),
        ([], "lines with a label"),
    ],
)
def test_a_task_that_cannot_be_is_refused(tmp_path: Path, wanted: list[str], said: str) -> None:
    """It is said which fields the task needs."""
    rows = read_manifest(manifest(tmp_path, '{"id": "1", "image": "a.png"}'))
    with pytest.raises(SettingsError, match=said):
        tasks_of(rows, wanted)
