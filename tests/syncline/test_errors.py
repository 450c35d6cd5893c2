"""Laws of `syncline.errors`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from syncline import errors

ROOT = Path(errors.__file__).parents[1]


def written() -> Iterator[tuple[str, str]]:
    """Every error class of the source, with its base; but one of aiokafka's kind, which callers make a BrokerError."""
    for package in ("syncline", "processors", "models", "streams", "verify", "demo"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and node.bases:
                    base = ast.unparse(node.bases[0])
                    if base.endswith(("Error", "Exception")) and base != "KafkaError":
                        yield node.name, base


def drawn() -> Iterator[tuple[str, str]]:
    """Every error of the tree in the docstring, with the one above it."""
    above = {0: "Exception"}
    lines = (errors.__doc__ or "").split("\n\n", 1)[1].splitlines()
    for line in lines:
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        yield name, above[depth]
        above[depth + 2] = name


def test_all_errors_are_in_one_tree_as_it_is_drawn() -> None:
    """Whoever catches `SynclineError` catches all that is raised on purpose, and the drawing says what lies where."""
    assert sorted(drawn()) == sorted(written())
