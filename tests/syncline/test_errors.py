"""Laws of `syncline.errors`."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from syncline import errors

ROOT = Path(errors.__file__).parents[1]


def written() -> Iterator[tuple[str, str, bool]]:
    """Every error class of the source, with its base and whether it may be tried again.

    But one of aiokafka's kind, which callers make a BrokerError.
    """
    for package in ("syncline", "processors", "models", "streams", "verify", "demo"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and node.bases:
                    base = ast.unparse(node.bases[0])
                    if base.endswith(("Error", "Exception")) and base != "KafkaError":
                        yield node.name, base, getattr(imported(path), node.name).may_retry


def imported(path: Path) -> ModuleType:
    """The module that a file of the source is."""
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def drawn() -> Iterator[tuple[str, str, bool]]:
    """Every error of the tree in the docstring, with the one above it and whether it may be tried again."""
    above = {0: "Exception"}
    lines = (errors.__doc__ or "").split("\n\n")[1].splitlines()
    for line in lines:
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        yield name, above[depth], line.endswith(" may retry")
        above[depth + 2] = name


def test_all_errors_are_in_one_tree_as_it_is_drawn() -> None:
    """Whoever catches `SynclineError` catches all that is raised on purpose, and the drawing says what lies where."""
    assert sorted(error[:2] for error in drawn()) == sorted(error[:2] for error in written())


def test_each_error_of_the_tree_says_whether_to_try_again() -> None:
    """`may_retry` is a bool of every class, and drawn as it is."""
    assert sorted(drawn()) == sorted(written())
    assert {type(may_retry) for *_, may_retry in written()} == {bool}
