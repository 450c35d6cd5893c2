"""A machine that cannot run containers is told what is missing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.compose.__main__ import main
from tests.compose.engine import STANDIN_OVERRIDE
from tests.compose.stack import PROJECT, ROOT


def test_without_an_engine_and_without_root_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, as for other wrong usage; nothing is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main([]) == 2
    assert "root on Debian" in capsys.readouterr().out


def test_the_run_is_a_project_of_its_own() -> None:
    """It takes its containers and its volume away at the end, and must never take anybody's own."""
    names = [line for file in ROOT.glob("*.y*ml") for line in file.read_text().splitlines() if line.startswith("name:")]
    assert f"name: {PROJECT}" not in names
    assert names


@pytest.mark.parametrize("script", sorted(STANDIN_OVERRIDE.parent.rglob("*.sh")), ids=lambda path: path.name)
def test_its_scripts_are_posix_sh(script: Path) -> None:
    """Debian's sh is dash, which takes nothing else."""
    assert script.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(script)], check=True)
