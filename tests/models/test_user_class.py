"""models/registry.py: classes of the operator's own, found where the operator says."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.interface import Converter
from models.registry import find_class
from syncline.errors import SettingsError

CODE = """
from models.interface import Converter, Prepared, Text
from dataclasses import dataclass

@dataclass
class Shout(Converter):
    name, version, kind, modality = "shout", "1", "transcript", "audio"
    def prepare(self, data, content_type, language): return Prepared(data)
    def run(self, items): return [Text(str(item.value).upper(), 1.0) for item in items]

class Other: pass
"""


def test_a_class_is_found_in_a_file(tmp_path: Path) -> None:
    """Without being installed; what it defines works as in any module."""
    file = tmp_path / "my voice.py"
    file.write_text(CODE)
    found = find_class("convert", f"{file}:Shout", Converter)()
    assert (found.name, found.kind) == ("shout", "transcript")
    assert found.run([found.prepare(b"x", "audio/wav", None)])[0].text == "B'X'"  # type: ignore[union-attr]


def test_a_class_is_found_in_a_module() -> None:
    """Of any package that can be imported."""
    assert find_class("convert", "tests.support.converters:Humming", Converter)().kind == "speech"


@pytest.mark.parametrize(
    ("where", "takes"),
    [
        ("Shout", "module:Class or path/to/file.py:Class"),
        ("nowhere.py:Shout", "a Python file that is there"),
        ("no.such.module:Shout", "a module that can be imported"),
        ("{}:Missing", "a class that derives from models.interface.Converter"),
        ("{}:Other", "a class that derives from models.interface.Converter"),
        ("{}:CODE", "a class that derives from models.interface.Converter"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, where: str, takes: str) -> None:
    """With what is taken instead."""
    file = tmp_path / "mine.py"
    file.write_text(CODE)
    with pytest.raises(SettingsError) as caught:
        find_class("convert", where.format(file), Converter)
    assert caught.value.takes.startswith(takes)


def test_a_file_that_fails_says_how(tmp_path: Path) -> None:
    """The operator wrote it, and mends it."""
    file = tmp_path / "broken.py"
    file.write_text("1 / 0")
    with pytest.raises(SettingsError, match="ZeroDivisionError: division by zero"):
        find_class("convert", f"{file}:Shout", Converter)
