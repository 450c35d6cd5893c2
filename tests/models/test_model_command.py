"""`syncline model` lists models, and says what is wrong before it works for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from syncline.cli.model import app
from syncline.errors import SettingsError


def run(*arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_names_each_model() -> None:
    """A line for each model, with what is known of it."""
    lines = run("list").splitlines()
    assert [line.split()[0] for line in lines] == ["null", "reference"]
    assert "861 labels" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "nobody"], "'nobody', takes null, reference"),
        (["evaluate", "--split", "train"], "'train', takes validation, test"),
        (["evaluate", "--language", "xx"], "'xx', takes en, zh"),
        (["evaluate", "--corpus", "nowhere"], "make corpus"),
        (["train", "--steps", "1,2"], "four integers"),
        (["train", "--minutes", "0"], "more than 0"),
        (["train", "synthesis", "--steps", "1,2,3,4"], "two integers: SPELLING,VOICE"),
        (["train", "synthesis", "--minutes", "0"], "more than 0"),
        (["train", "synthesis", "--held-out"], "takes a model that fuses"),
        (["train", "synthesis", "--device", "cuda"], "takes one process on the CPU"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], message: str) -> None:
    """What was wrong is said at once, with what is taken."""
    with pytest.raises(SettingsError, match=message):
        run(*arguments)


def test_training_without_a_corpus_is_refused(tmp_path: Path) -> None:
    """Without a corpus nothing is trained, and the error says how to build one."""
    with pytest.raises(SettingsError, match="make corpus"):
        run("train", "--corpus", str(tmp_path), "--out", str(tmp_path / "out"))
