"""`syncline model evaluate MANIFEST.jsonl` scores files as they come: good ones, odd ones, broken ones."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from models.evaluation import run as evaluation
from models.evaluation.run import evaluate_manifest
from models.interface import Converter, Prepared, Speech, Text
from syncline.cli.model import app
from syncline.errors import MediaError, MissingExtraError, SettingsError
from tests.support.tiny_corpus import png, wav

SAID = {"a": "two red apples", "b": "five o'clock", "c": "good morning"}


HEARD = {1000: "Two red apples.", 1100: "five clocks", 1200: MediaError("silence", "nobody speaks")}


class Hears(Converter):
    """Hears by the length of the bytes; one clip is too much for it, one is too much for a batch."""

    name, version, kind, modality = "hears", "3", "transcript", "audio"

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """The length, in thousands of samples."""
        return Prepared(len(data))

    def run(self, items: Sequence[Prepared]) -> Sequence[Text | Speech | MediaError]:
        """What is heard; a batch with the third clip fails as a whole."""
        found = [HEARD[item.value] for item in items]
        if len(found) > 1 and any(isinstance(answer, MediaError) for answer in found):
            raise MediaError("batch", "something in it")
        return [answer if isinstance(answer, MediaError) else Text(answer, 0.9) for answer in found]


@contextmanager
def quiet(what: str, n_total: int) -> Generator[object]:
    """No progress."""
    yield lambda n_done: None


def manifest(folder: Path, *lines: dict[str, str]) -> Path:
    """A manifest beside its files."""
    path = folder / "some.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """Files of many kinds: a photograph, a grey transparent one, telephone speech, stereo; four are broken."""
    (tmp_path / "cat.png").write_bytes(png(1))
    Image.new("RGB", (640, 427), (200, 90, 30)).save(tmp_path / "dog.jpg")
    Image.new("LA", (33, 70), (200, 90)).save(tmp_path / "sun.webp")
    (tmp_path / "cat.wav").write_bytes(wav(1))
    telephone = np.random.default_rng(0).normal(0, 0.1, 8_000)
    soundfile.write(tmp_path / "dog.flac", telephone, 8_000)
    soundfile.write(tmp_path / "sun.ogg", np.stack([telephone, telephone], 1), 44_100, format="OGG", subtype="VORBIS")
    (tmp_path / "cut.png").write_bytes(png(2)[:200])
    (tmp_path / "moon.gif").write_bytes(b"GIF89a nothing of ours")
    (tmp_path / "empty.wav").write_bytes(b"")
    return manifest(
        tmp_path,
        {"id": "1", "image": "cat.png", "audio": "cat.wav", "text": "kind0", "label": "cat", "language": "en"},
        {"id": "2", "image": "dog.jpg", "audio": "dog.flac", "text": "kind1", "label": "Dog", "language": "en"},
        {"id": "3", "image": "sun.webp", "audio": "sun.ogg", "text": "类丙", "label": "sun", "language": "zh"},
        {"id": "4", "image": "cut.png", "audio": "cat.wav", "label": "zebra"},
        {"id": "5", "image": "moon.gif", "text": "kind3", "label": "moon"},
        {"id": "6", "audio": "empty.wav", "text": "kind\u0007", "label": "tree"},
    )


def test_files_of_all_kinds_are_scored_and_broken_ones_named(strange: Path, tiny_folder: Path) -> None:
    """Content types by first bytes, any size and rate; what is broken is counted with its line, and is not fatal."""
    report = evaluate_manifest(strange, str(tiny_folder), [], "transcript", quiet)  # pyright: ignore
    assert report.tasks == ["labels", "retrieval"]
    assert [(b.line, b.field, b.reason) for b in report.broken] == [
        (4, "image", "image_header"),
        (5, "image", "bad_content_type"),
        (6, "text", "text_control_character"),
        (6, "audio", "bad_content_type"),
    ]
    everything = report.sections[0]
    assert [s.language for s in report.sections] == ["", "en", "zh"]
    assert everything.labels is not None
    assert everything.labels.unknown == ["zebra"]
    by_kind = {row.kind: row for row in everything.labels.rows}
    assert {kind: row.n for kind, row in by_kind.items()} == {
        "image": 3, "text": 4, "audio": 4, "image+text": 3, "image+audio": 3, "text+audio": 3, "image+text+audio": 3,
        "as given": 5,
    }  # fmt: skip
    assert by_kind["audio"].own is not None
    assert by_kind["audio"].own.n == 3  # the zebra is none of the model's labels
    assert by_kind["audio"].given is not None
    assert by_kind["audio"].given.n == 4
    assert {(d.query, d.target): d.n for d in everything.retrieval or []} == {
        (a, b): 3 for a in ("image", "text", "audio") for b in ("image", "text", "audio") if a != b
    }


def test_transcripts_are_scored_by_a_converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 of 5 words is wrong, 3 of 23 characters; a clip that cannot be answered is named, its batch is halved."""
    monkeypatch.setattr(evaluation, "open_converter", lambda spec: Hears())
    lines = []
    for (name, said), n_bytes in zip(SAID.items(), (1000, 1100, 1200), strict=True):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF????WAVE".ljust(n_bytes, b"\0"))
        lines.append({"id": name, "audio": f"{name}.wav", "transcript": said})
    report = evaluate_manifest(manifest(tmp_path, *lines), "none at all", [], "transcript=whisper:x", quiet)  # pyright: ignore
    assert (report.tasks, report.model, report.converter) == (["transcript"], "", "hears 3")
    found = report.sections[0].transcript
    assert found is not None
    assert (found.n, found.n_words) == (2, 5)
    assert found.word_error_rate.value == pytest.approx(1 / 5)
    assert found.character_error_rate.value == pytest.approx(3 / 23)
    assert found.exact.value == 0.5
    assert [(b.id, b.reason) for b in report.broken] == [("c", "silence")]


def test_a_converter_that_is_missing_leaves_the_rest(
    strange: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unasked, transcripts are left out with a note of how to install; asked for, that is an error."""

    def missing(spec: object) -> Converter:
        raise MissingExtraError("transcript=whisper", "transcribe")

    monkeypatch.setattr(evaluation, "open_converter", missing)
    line = {"id": "7", "audio": "cat.wav", "transcript": "cat", "label": "cat"}
    path = strange.with_name("other.jsonl")
    path.write_text(strange.read_text() + "\n" + json.dumps(line))
    report = evaluate_manifest(path, str(tiny_folder), [], "transcript", quiet)  # pyright: ignore
    assert report.tasks == ["labels", "retrieval"]
    assert "syncline[transcribe]" in report.notes[0]
    with pytest.raises(MissingExtraError):
        evaluate_manifest(path, str(tiny_folder), ["transcript"], "transcript", quiet)  # pyright: ignore
    with pytest.raises(SettingsError, match="kind transcript"):
        evaluate_manifest(path, str(tiny_folder), ["transcript"], "speech", quiet)  # pyright: ignore


def test_the_command_prints_tables_and_writes_json(strange: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """The text has each figure with its interval and names what is broken; the JSON has all of it."""
    out = tmp_path / "made" / "report.json"
    result = CliRunner().invoke(
        app, ["evaluate", str(strange), "--model", str(tiny_folder), "--json", str(out)], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "4 could not be used" in result.stdout
    assert "line 4, 4, image: image_header" in result.stdout
    assert "| image+text+audio | 3 |" in result.stdout
    assert "2 lines in en" in result.stdout
    assert json.loads(out.read_text())["sections"][0]["retrieval"][0]["n"] == 3


def test_json_alone_on_stdout(strange: Path, tiny_folder: Path) -> None:
    """`--json -` prints what a program can read."""
    arguments = ["evaluate", str(strange), "--model", str(tiny_folder), "--task", "labels", "--json", "-"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert json.loads(result.stdout)["tasks"] == ["labels"]


def test_nothing_to_score_is_a_failure(tmp_path: Path, tiny_folder: Path) -> None:
    """Where every file is broken the command ends with 1 and says so."""
    (tmp_path / "a.png").write_bytes(b"no picture")
    path = manifest(tmp_path, {"id": "1", "image": "a.png", "label": "cat"})
    result = CliRunner().invoke(app, ["evaluate", str(path), "--model", str(tiny_folder)], catch_exceptions=False)
    assert result.exit_code == 1
    assert "nothing could be scored" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "none.jsonl"], r"none\.jsonl.*JSON lines"),
        (["evaluate", "none.jsonl", "--split", "test"], "--split: .*MODEL in the place"),
        (["evaluate", "reference", "--task", "labels"], r"--task: .*MANIFEST\.jsonl before it"),
        (["evaluate", "reference", "--model", "null"], r"--model: .*MANIFEST\.jsonl before it"),
    ],
)
def test_options_of_the_other_use_are_refused(arguments: list[str], message: str) -> None:
    """A manifest and a split of the corpus take different options; the error says what to write."""
    with pytest.raises(SettingsError, match=message):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
