"""deploy/audit.py: an audit that could not be made is a failure, and so is an advisory."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOUND = {"name": "sound", "version": "1", "vulns": []}
BROKEN = {"name": "broken", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}


@pytest.fixture(scope="module")
def script() -> Any:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / "deploy" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("packages", "told"),
    [
        ([SOUND], []),
        ([SOUND, BROKEN], ["broken 1: CVE-1, mended in 2"]),
        ([UNKNOWN, UNKNOWN], ["lock.txt: 2 of 2 packages could not be looked up (unknown, unknown)"]),
        ([SOUND, UNKNOWN], ["lock.txt: 1 of 2 packages could not be looked up (unknown)"]),
        ([], ["lock.txt: not audited, the advisories cannot be reached from here (ConnectionError: x)"]),
    ],
)
def test_only_an_answer_for_every_package_is_an_answer(
    script: Any, packages: list[dict[str, Any]], told: list[str]
) -> None:
    """An index that knows no package must not look like one that knows of no advisory."""
    assert script.judge("lock.txt", packages, "Traceback\nConnectionError: x") == told


@pytest.mark.parametrize(("packages", "code"), [([SOUND], 0), ([UNKNOWN], 1), ([BROKEN], 1)])
def test_the_exit_code_says_it(
    script: Any, monkeypatch: pytest.MonkeyPatch, packages: list[dict[str, Any]], code: int
) -> None:
    """And nothing of it depends on pip-audit's own."""
    monkeypatch.setattr(script, "audit", lambda lock: (packages, ""))
    assert script.main(["lock.txt"]) == code


def recipe(target: str) -> str:
    """What `make` would run. It says more where another make has started it, as in `make test`."""
    return subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", "setup", target],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_it_is_run_by_hand_on_locks_that_are_there() -> None:
    """`make audit`, never `make check`, so that a new advisory does not redden what was green."""
    words = recipe("audit").split()
    locks = words[words.index("deploy/audit.py") + 1 :]
    assert locks
    assert all((ROOT / lock).is_file() for lock in locks)
    assert "audit" not in recipe("check")
    assert "bandit" in recipe("check")
