"""What `import syncline` gives, and what it costs."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import syncline

PUBLIC = {
    "MediaProducer": {"flush", "send", "send_soon", "transaction"},
    "ResultConsumer": {"at_end", "commit", "receive", "receive_many"},
}
HEAVY = ["torch", "faust", "numpy", "typer", "rich", "aiokafka", "msgspec"]
LIMIT_MS = 100


@pytest.mark.parametrize("name", syncline.__all__)
def test_every_exported_name_is_there_and_documented(name: str) -> None:
    """Each name of `__all__` resolves, once, to something with a docstring."""
    exported = getattr(syncline, name)
    assert exported is getattr(syncline, name)
    assert inspect.getdoc(exported)
    assert name in dir(syncline)


def test_the_lists_of_exports_agree() -> None:
    """`__all__` and the table of homes hold the same names, sorted."""
    assert sorted(syncline._MODULE_OF) == syncline.__all__


@pytest.mark.parametrize("name", PUBLIC)
def test_public_methods_are_those_and_documented(name: str) -> None:
    """A new public method is added on purpose, with a docstring."""
    members = {key: value for key, value in vars(getattr(syncline, name)).items() if not key.startswith("_")}
    methods = {key for key, value in members.items() if callable(value)}
    assert methods == PUBLIC[name]
    assert all(inspect.getdoc(members[key]) for key in methods)


def test_other_names_are_attribute_errors() -> None:
    """A typing error is not an import error from somewhere inside."""
    with pytest.raises(AttributeError, match="MediaProducr"):
        syncline.MediaProducr  # noqa: B018


def test_import_is_fast_and_light() -> None:
    """`import syncline` takes under 100 ms of CPU time (best of three) and imports none of what it can do without."""
    code = (
        "import json, sys, time; start = time.process_time(); import syncline; "
        "took_ms = (time.process_time() - start) * 1000; "
        f"print(json.dumps([took_ms, [name for name in {HEAVY!r} if name in sys.modules]]))"
    )
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(took_ms for took_ms, _ in runs) < LIMIT_MS
    assert all(not heavy for _, heavy in runs)


def test_clients_work_where_the_service_is_not_installed() -> None:
    """Producer and consumer import without torch, Faust, numpy, typer and rich."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'faust', 'numpy', 'typer', 'rich'])); "
        "import syncline; [getattr(syncline, name) for name in syncline.__all__]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
