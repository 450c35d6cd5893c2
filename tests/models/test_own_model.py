"""A class of one's own is a model: the one on docs/models.md, as it stands there, through the registry and a runner."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models import registry
from models.interface import Member
from streams.inference.runner import ModelRunner
from syncline.errors import SettingsError
from tests.models.adapters.folders import png

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The page's first block of Python, in a file."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    path = tmp_path / "my_model.py"
    path.write_text(found[1], encoding="utf-8")
    return path


def test_the_page_keeps_its_promise(written: Path) -> None:
    """Your own model takes no more than 40 lines."""
    assert len(written.read_text(encoding="utf-8").splitlines()) <= 40


async def test_the_model_of_the_page_answers_through_a_runner(written: Path) -> None:
    """What a reader copies from the page runs as it is: pictures, texts, both, neither."""
    runner = ModelRunner(lambda: registry.load(f"{written}:Brightness"))
    await runner.start()
    try:
        model = runner.model
        image = Member("image", "image", model.prepare("image", png(250), "image/png", None))
        text = Member("text", "text", model.prepare("text", b"two words", "text/plain", None))
        both, nothing = [await runner.fuse(members) for members in ([image, text], [])]
    finally:
        await runner.close()
    assert (model.name, model.version) == ("brightness", "1")
    assert {label for label, _ in both.labels} == {"bright", "dark"}
    assert sum(score for _, score in both.labels) == pytest.approx(1)
    assert both.embedding is not None
    assert both.embedding[1] == 2
    assert nothing.labels[0][1] == 0.5


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("{file}:Nobody", "a class that derives from models.interface.Model"),
        ("{file}:Member", "a class that derives from models.interface.Model"),
        ("gone.py:Mine", "a Python file that is there"),
        ("no.such.module:Mine", "No module named"),
        ("models.interface:Model", "a class that can be made without arguments"),
    ],
)
def test_what_is_no_model_is_told(written: Path, name: str, says: str) -> None:
    """A file, a module or a class that is not there, or that is no model."""
    with pytest.raises(SettingsError) as refused:
        registry.load(name.format(file=written))
    assert says in str(refused.value)


def test_a_manifest_names_no_code(tmp_path: Path) -> None:
    """A folder whose manifest names a class is refused: only what the operator types is imported."""
    (tmp_path / "model.json").write_text('{"kind": "my_model.py:Mine", "name": "mine", "version": "1"}')
    with pytest.raises(SettingsError, match=r"kind: got 'my_model\.py:Mine', takes huggingface-dual-encoder"):
        registry.load(str(tmp_path))
