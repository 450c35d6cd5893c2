"""`syncline index` and `syncline search`, as a person runs them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from models.interface import Member
from models.registry import load
from syncline.index.rows import make_entry
from syncline.index.store import Index
from syncline.wire.arrays import from_numpy
from syncline.wire.results import FusedResult, ModelInfo, encode_fused
from tests.support.brokers import TestBroker
from tests.support.command_line import Ran, run_command
from tests.support.contract import example_fused
from tests.support.tiny_model import write_tiny_model
from tests.support.topics import make_topics, write_records


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model that answers, if with noise."""
    return write_tiny_model(tmp_path_factory.mktemp("model"))


def result_of(tiny: Path, text: str, **changes: object) -> FusedResult:
    """What the small model makes of a text."""
    model = load(str(tiny))
    prepared = model.prepare("text", text.encode(), "text/plain", None)
    embedding = model.run([[Member("text", "text", prepared)]])[0].embedding
    assert embedding is not None
    info = ModelInfo(model.name, model.version)
    return example_fused(text, embedding=from_numpy(embedding), model=info, **changes)


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two texts."""
    path = tmp_path_factory.mktemp("index")
    results = [
        result_of(tiny, "red apple", stream="kitchen"),
        result_of(tiny, "dog", stream="ya\x1brd", start_ms=61_000),
    ]
    with Index.create(path, "syncline.") as index:
        index.add([entry for result in results if (entry := make_entry(result)) is not None])
    return path


@pytest.fixture
def search(tiny: Path, folder: Path):
    """Search in that index with that model."""

    def run(*arguments: str) -> Ran:
        return run_command("search", "--index", str(folder), "--model", str(tiny), *arguments)

    return run


def test_a_person_reads_score_time_stream_labels_and_places(search) -> None:
    """The same words score 1 and come first; no control character reaches the terminal."""
    ran = search("red apple")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[:3] == [
        " 1.00  1970-01-01T00:00:01.000Z  kitchen  partial  cat 0.75, dog 0.25",
        "       00:00:01.000  image  media.image 1 7  urn:image",
        "       00:00:01.000  text   media.text 1 7  urn:text",
    ]
    assert "ya\N{REPLACEMENT CHARACTER}rd" in lines[3]


def test_a_program_reads_a_json_object_a_line(search) -> None:
    """Score and all that is held, of the stream and time that were asked for."""
    ran = search("red apple", "--json", "--since", "1970-01-01T00:01:00Z", "--stream", "ya\x1brd")
    (found,) = map(json.loads, ran.out.splitlines())
    assert -1 <= found["score"] <= 1
    assert (found["id"], found["start_ms"], found["end_ms"]) == ("dog", 61_000, 1_040)
    assert found["model"] == {"name": "tiny", "version": "1"}
    assert found["members"][1]["topic"] == "media.text"


def test_nothing_found_is_said_and_no_failure(search) -> None:
    """Exit code 0."""
    ran = search("red apple", "--since", "1h")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing found" in ran.err


def test_a_limit_is_kept(search) -> None:
    """So many moments, no more."""
    assert len(search("dog", "--json", "--limit", "1").out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "TEXT: got '', takes words to search for, or --image or --audio"),
        (["   "], 1, "text_no_words: text: "),
        (["\udcff"], 1, "text_not_utf8: text: "),
        (["dog", "--lang", "e n"], 2, "--lang: got 'e n', takes BCP 47"),
        (["--image", "{here}", "--lang", "en"], 2, "--lang: got 'en', takes words beside it"),
        (["--image", "{here}"], 1, "bad_content_type: {here}: "),
        (["--audio", "{cut}"], 1, ": {cut}: "),
        (["dog", "--since", "yesterday"], 2, "--since: got 'yesterday'"),
        (["dog", "--since", "1h", "--until", "2h"], 2, "--until: got '2h', takes a time after --since"),
        (["dog", "--model", "nobody"], 2, "model: got 'nobody'"),
        (["dog", "--model", "null"], 2, "--model: got 'null', takes a model that gives embeddings"),
        (["dog", "--model", "reference"], 2, "', takes a model whose results the index holds"),
        (["dog", "--index", "/nowhere"], 2, "--index: got '/nowhere', takes a folder with results.sqlite"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(search, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """It names the thing, what it got and what it takes."""
    (tmp_path / "cut.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    names = {"here": str(Path(__file__)), "cut": str(tmp_path / "cut.wav")}
    ran = search(*(argument.format(**names) for argument in arguments))
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (code, "", 1), ran.err
    assert said.format(**names) in ran.err


def test_an_empty_index_is_named(tmp_path: Path) -> None:
    """Instead of finding nothing in it."""
    Index.create(tmp_path, "syncline.").close()
    ran = run_command("search", "dog", "--index", str(tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert "has brought none yet" in ran.err


def test_without_its_model_the_models_of_the_index_are_named(folder: Path) -> None:
    """No model is guessed."""
    ran = run_command("search", "dog", "--index", str(folder))
    assert (ran.code, ran.out) == (2, "")
    assert "tiny 1 (2 results)" in ran.err


@pytest.mark.parametrize("command", [["index"], ["search", "dog"]])
def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """With what installs it."""
    Index.create(tmp_path, "syncline.").close()
    monkeypatch.setitem(sys.modules, "apsw", None)
    ran = run_command(*command, "--index", str(tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert "pip install 'syncline[search]'" in ran.err


def test_other_models_results_are_told_and_not_compared(tiny: Path, folder: Path, tmp_path: Path) -> None:
    """A person learns why something may be missing."""
    entries = [
        make_entry(result_of(tiny, "dog")),
        make_entry(example_fused("x", embedding=from_numpy(np.ones(4, np.float32)))),
    ]
    with Index.create(tmp_path, "syncline.") as index:
        index.add([entry for entry in entries if entry is not None])
    ran = run_command("search", "dog", "--index", str(tmp_path), "--model", str(tiny), "--json")
    assert len(ran.out.splitlines()) == 1
    assert "not compared, for their models are others: reference 1 (1 results)" in ran.err


def test_index_says_what_it_did(broker: TestBroker, topic_prefix: str, tiny: Path, tmp_path: Path) -> None:
    """A sentence for people, an object for programs, and it goes on where it stopped."""
    asyncio.run(make_topics(broker.address, topic_prefix))
    results = [result_of(tiny, "dog"), example_fused("none", embedding=None)]
    asyncio.run(write_records(broker.address, topic_prefix, [encode_fused(result) for result in results]))
    at = ["--brokers", broker.address, "--topic-prefix", topic_prefix, "--index", str(tmp_path / "deep" / "index")]
    first = run_command("index", "--once", *at)
    assert (first.code, first.out) == (0, "1 results indexed, 1 without embedding\n"), first.err
    second = run_command("index", "--once", "--json", *at)
    assert json.loads(second.out) == {"n_new": 0, "n_known": 0, "n_without": 0, "n_unusable": 0}
