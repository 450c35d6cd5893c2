"""The demo as a person starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_loses_nothing(tmp_path: Path) -> None:
    """Two workers, four streams, no model: exit code 0, and an account that adds up."""
    account = tmp_path / "account.json"
    command = [sys.executable, "-m", "syncline", "demo", "--model", "null", "--seconds", "4", "--json", str(account)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(account.read_text())
    assert summary["problems"] == []
    assert summary["n_outcomes"] == summary["n_sent"] > 100
    assert "every record has exactly the outcome that was planned" in done.stdout


def test_wrong_use_is_said_in_one_line() -> None:
    """More workers than there are: exit code 2 and the flag in the message, no traceback."""
    command = [sys.executable, "-m", "syncline", "demo", "--workers", "9"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--workers" in done.stderr
    assert "Traceback" not in done.stderr
