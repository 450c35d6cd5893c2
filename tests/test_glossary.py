"""docs/glossary.md: its terms are those of the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("syncline", "processors", "models", "streams", "verify", "demo")
ROWS = re.findall(r"^\| ([^|]+) \| `(\w+)` \| ([^|]+) \|$", (ROOT / "docs" / "glossary.md").read_text("utf-8"), re.M)


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Every name that the code defines or uses."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    found.add(node.name)
                elif isinstance(node, ast.Name):
                    found.add(node.id)
                elif isinstance(node, ast.Attribute):
                    found.add(node.attr)
    return found


@pytest.mark.parametrize(("term", "name", "sentence"), ROWS, ids=[term for term, _, _ in ROWS])
def test_a_term_has_one_sentence_and_a_name_in_the_code(term: str, name: str, sentence: str, names: set[str]) -> None:
    """A word that only the glossary knows explains nothing."""
    assert name in names, f"{term}: nothing in the code is called {name}"
    assert re.fullmatch(r"[^.]+(\.\w[^.]*)*\.", sentence.strip()), sentence


def test_no_term_stands_twice() -> None:
    """One word for one thing."""
    terms = [term for term, _, _ in ROWS]
    assert len(ROWS) > 40
    assert len(terms) == len(set(terms))
