"""The demo as a person starts it."""

from __future__ import annotations

import json
import signal
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
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(account.read_text())
    assert summary["problems"] == []
    assert summary["n_outcomes"] == summary["n_sent"] > 100
    assert "every record has exactly the outcome that was planned" in done.stdout


@pytest.mark.slow
def test_ctrl_c_ends_the_demo_and_all_that_it_started() -> None:
    """Exit code 130, and no process is left that knows the demo's broker."""
    command = [sys.executable, "-u", "-m", "syncline", "demo", "--model", "null", "--seconds", "60"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        address = demo.stdout.readline().rpartition(" ")[2].strip()
        for line in demo.stdout:
            if "sent" in line:
                break
        assert _commands_with(address), "nothing was started: nothing is shown"
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(30) == 130
    assert _commands_with(address) == []


def _commands_with(word: str) -> list[str]:
    """Command lines of all processes that hold `word`."""
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if word in line]


def test_wrong_use_is_said_in_one_line() -> None:
    """More workers than there are: exit code 2 and the flag in the message, no traceback."""
    command = [sys.executable, "-m", "syncline", "demo", "--workers", "9"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert "--workers" in done.stderr
    assert "Traceback" not in done.stderr
