"""Docstrings of what users call: complete, true to the signature, with examples that run (docs/development.md)."""

from __future__ import annotations

import ast
import asyncio
import builtins
import dataclasses
import doctest
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pytest

import syncline
from syncline import errors
from syncline.producer import EventFields
from syncline.wire.deadletters import encode_dead_letter, encode_unfused
from syncline.wire.results import encode_fused
from tests.support.brokers import TestBroker
from tests.support.contract import example_fused, example_unfused
from tests.support.topics import make_topics, write_records

ROOT = Path(__file__).parents[1]
PRODUCT = ("syncline", "processors", "models", "streams", "verify", "demo", "bench", "examples")
AS_PASTED = ("syncline/", "processors/")
"""What users call: their examples import what they use."""
ADDRESS = "localhost:9092"
"""In an example it means: give this one a broker. The test puts its own address there."""
CONSTRUCTED = ("MediaProducer", "ResultConsumer", "MediaEvent", "Array", "Secret", "SecuritySettings")
"""What users make themselves; everything else in `__all__` is handed to them."""
FUNCTIONS = (
    "syncline.manifest:read_manifest", "syncline.manifest:replay", "syncline.send_log:read_send_log",
    "syncline.wire.arrays:from_numpy", "syncline.wire.arrays:to_numpy",
    "processors.audio:load_log_mel", "processors.audio:load_mono",
    "processors.image:load_pixels", "processors.image:normalise", "processors.text:load_text",
    "processors.words:tag_words",
)  # fmt: skip
"""Public functions that are not in `__all__`."""
HELP_STANDS_AT_THE_FIELDS = {"SecuritySettings"}
"""Settings: `--help` and the docs are made from their fields, and so need no second list."""
UNITS = {"_ms": r"\bms\b", "_s": r"\b(s|seconds)\b", "_bytes": r"\bbytes\b", "_hz": r"\bHz\b"}


class Entry(NamedTuple):
    """One line of a section: `name (type): text`."""

    name: str
    type: str
    text: str


def section(doc: str, title: str) -> str:
    """A section's text, without its indentation."""
    found = re.search(rf"^{title}:\n((?:[ ]{{4}}.*\n?|\n)+)", doc, re.M)
    return textwrap.dedent(found[1]).strip() if found else ""


def entries(doc: str, title: str) -> list[Entry]:
    """What `Args:` or `Attributes:` lists, in its order."""
    items = re.split(r"^(?=\S)", section(doc, title), flags=re.M)[1:]
    found = [re.fullmatch(r"(\**\w+) \((.+?)\): (.+)", " ".join(item.split())) for item in items]
    assert all(found), f"each item of {title} is `name (type): text`: {items}"
    return [Entry(*match.groups()) for match in found if match]


def is_data(cls: type) -> bool:
    """Whether the constructor's parameters are the fields."""
    return hasattr(cls, "__struct_fields__") or hasattr(cls, "_fields") or dataclasses.is_dataclass(cls)


def public_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Its own and inherited public methods and properties that Syncline wrote."""
    for base in cls.__mro__:
        if base.__module__.startswith("syncline"):
            for name, member in vars(base).items():
                if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                    yield name, member


def described() -> Iterator[tuple[str, Any]]:
    """Everything whose parameters a docstring must list, with a name for the report."""
    for name in syncline.__all__:
        exported = getattr(syncline, name)
        if not isinstance(exported, type):
            yield name, exported
            continue
        if ("__init__" in vars(exported) or is_data(exported)) and name not in HELP_STANDS_AT_THE_FIELDS:
            yield name, exported
        yield from ((f"{name}.{method}", member) for method, member in public_members(exported) if callable(member))
    yield from ((place, function(place)) for place in FUNCTIONS)


def function(place: str) -> Any:
    """The object at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def parameters(described: Any) -> dict[str, inspect.Parameter]:
    """What a caller may give, by name."""
    return {name: each for name, each in inspect.signature(described).parameters.items() if name != "self"}


DESCRIBED = dict(described())


@pytest.mark.parametrize("name", syncline.__all__)
def test_every_public_name_and_method_has_a_docstring(name: str) -> None:
    """A help window that is empty sends its reader into the code."""
    exported = getattr(syncline, name)
    assert inspect.getdoc(exported)
    members = public_members(exported) if isinstance(exported, type) else ()
    assert [member for member, value in members if not inspect.getdoc(value)] == []


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_docstring_lists_the_parameters_of_the_signature(name: str) -> None:
    """All of them, in their order, each with its type; no other."""
    thing = DESCRIBED[name]
    title = "Attributes" if isinstance(thing, type) and is_data(thing) else "Args"
    wanted = [f"**{each.name}" if each.kind is each.VAR_KEYWORD else each.name for each in parameters(thing).values()]
    found = [entry.name for entry in entries(inspect.getdoc(thing) or "", title)]
    if "**fields" in wanted and "**fields" not in found:  # written out, as the type of the keywords has them
        wanted[-1:] = get_type_hints(EventFields)
    assert found == wanted


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_docstring_tells_defaults_and_units(name: str) -> None:
    """A default stands there as it is; a name that ends in a unit says the unit."""
    thing = DESCRIBED[name]
    doc = inspect.getdoc(thing) or ""
    listed = {entry.name: entry.text for entry in (*entries(doc, "Args"), *entries(doc, "Attributes"))}
    for parameter in parameters(thing).values():
        text = listed.get(parameter.name, "")
        if parameter.default is not parameter.empty and parameter.name in listed:
            assert "efault" in text, f"{parameter.name}: no default told"
            if type(parameter.default) in (int, float, str, bool) and parameter.default not in ("", ()):
                assert str(parameter.default) in text.replace(",", ""), f"{parameter.name}: {parameter.default!r}"
        for ending, unit in UNITS.items():
            if parameter.name.endswith(ending) and text:
                assert re.search(unit, text), f"{parameter.name}: no unit"


@pytest.mark.parametrize("name", DESCRIBED)
def test_what_a_docstring_says_is_raised_exists(name: str) -> None:
    """`Raises:` lists classes of Syncline or of Python, by their name."""
    doc = inspect.getdoc(DESCRIBED[name]) or ""
    for raised in re.findall(r"^(\w+)(?=:)", section(doc, "Raises"), re.M):
        assert hasattr(errors, raised) or hasattr(builtins, raised), raised


@pytest.mark.parametrize("name", [*CONSTRUCTED, *(place for place in FUNCTIONS if place.startswith("processors"))])
def test_what_users_make_has_an_example(name: str) -> None:
    """The shortest way to see how something is called."""
    thing = function(name) if ":" in name else getattr(syncline, name)
    assert ">>> " in section(inspect.getdoc(thing) or "", "Example")


def listed_in_the_product() -> Iterator[tuple[str, str, list[str]]]:
    """Every docstring of the product that lists something: where it is, its text, the parameters of a function."""
    for path in sorted(path for package in PRODUCT for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                doc = ast.get_docstring(node) or ""
                if re.search(r"^(Args:|Attributes:|- `\w+`.*:)", doc, re.M):
                    of = [] if isinstance(node, ast.ClassDef) else [*node.args.posonlyargs, *node.args.args]
                    of += [] if isinstance(node, ast.ClassDef) else node.args.kwonlyargs
                    named = [each.arg for each in of if each.arg not in ("self", "cls")]
                    yield f"{path.relative_to(ROOT)}:{node.name}", doc, named


@pytest.mark.parametrize(("doc", "named"), [pytest.param(*it, id=name) for name, *it in listed_in_the_product()])
def test_every_list_of_parameters_has_one_form(doc: str, named: list[str]) -> None:
    """`name (type): text` below `Args:` or `Attributes:`; a function's list names all of its parameters."""
    assert not re.search(r"^- `\w+`.*:", doc, re.M)
    found = [entry.name for title in ("Args", "Attributes") for entry in entries(doc, title)]
    assert [name for name in named if name not in found] == []


def examples() -> Iterator[tuple[str, str, int]]:
    """Every docstring of the product that has an example: where it is, its text, its line."""
    for path in sorted(path for package in PRODUCT for path in (ROOT / package).rglob("*.py")):
        text = path.read_text("utf-8")
        if ">>> " not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                doc = ast.get_docstring(node)
                if doc and ">>> " in doc:
                    name = "" if isinstance(node, ast.Module) else f":{node.name}"
                    yield f"{path.relative_to(ROOT)}{name}", doc, getattr(node, "lineno", 1)


EXAMPLES = {name: (doc, line) for name, doc, line in examples()}


def run_example(name: str, changed: Callable[[str], str] = str) -> None:
    """Run a docstring's examples: those of the installed package as pasted, others with their module's names."""
    doc, line = EXAMPLES[name]
    names: dict[str, Any] = {"__name__": "__main__"}
    if not name.startswith(AS_PASTED):
        path = Path(name.partition(":")[0]).with_suffix("")
        names = dict(vars(importlib.import_module(".".join(path.parts).removesuffix(".__init__"))))
    test = doctest.DocTestParser().get_doctest(changed(doc), names, name, name, line)
    said: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    outcome = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
    assert outcome.attempted > 0
    assert outcome.failed == 0, "".join(said)


@pytest.mark.parametrize("name", [name for name, (doc, _) in EXAMPLES.items() if ADDRESS not in doc])
def test_an_example_gives_what_it_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples that need no broker; files that they make go into an empty folder."""
    monkeypatch.chdir(tmp_path)
    run_example(name)


@pytest.mark.parametrize("name", [name for name, (doc, _) in EXAMPLES.items() if ADDRESS in doc])
def test_an_example_on_a_broker_gives_what_it_says(
    name: str, own_broker: TestBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a broker with the topics, one fused result, one event that came late and one dead letter."""
    if "transactional_id" in EXAMPLES[name][0] and own_broker.kind == "tansu":
        pytest.skip("Tansu has no transactions: pytest --apache-kafka")
    asyncio.run(make_topics(own_broker.address, "syncline."))
    dead_letter = encode_dead_letter(
        reason="image_header", detail="cut short", topic="media.image", partition=0, offset=3, key=b"lobby",
        value=b"\xff\xd8\xff", headers=[], timestamp_ms=1_000,
    )  # fmt: skip
    records = [encode_fused(example_fused()), encode_unfused(example_unfused(), []), dead_letter]
    asyncio.run(write_records(own_broker.address, "syncline.", records))
    monkeypatch.chdir(tmp_path)
    run_example(name, lambda doc: doc.replace(ADDRESS, own_broker.address))
