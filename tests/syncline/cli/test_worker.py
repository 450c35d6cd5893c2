"""`syncline worker`: flags, errors and exit codes, without a broker."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams.settings import WorkerSettings
from syncline.settings.definition import settings_of

ROOT = Path(__file__).parents[3]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as people run it."""
    return subprocess.run(
        [sys.executable, "-m", "syncline", "worker", *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=300, check=False, env={"COLUMNS": "200", **environment},
    )  # fmt: skip


def test_help_names_every_setting() -> None:
    """With its flag, its default, its variable and its key in the file."""
    shown = re.sub(r"[\s│]+", " ", run("--help", COLUMNS="400").stdout)
    told = [setting for setting in settings_of(WorkerSettings) if not setting.is_secret]
    assert [setting.key for setting in told if setting.flag + " " not in shown] == []
    assert [setting.key for setting in told if f"; {setting.variable}; {setting.key})" not in shown] == []
    assert "(at least 0; default 50; SYNCLINE_TOLERANCE_MS; join.tolerance_ms)" in shown


def test_show_config_says_where_each_value_came_from(tmp_path: Path) -> None:
    """Flags before variables, variables before the file."""
    file = tmp_path / "syncline.toml"
    file.write_text('group = "file"\nmodel = "file"\n[join]\ntolerance_ms = 1\n')
    done = run("--show-config", "--config", str(file), "--group", "flag", SYNCLINE_GROUP="v", SYNCLINE_MODEL="v")
    lines = {line.split(" = ")[0].strip(): line for line in done.stdout.splitlines()}
    assert "'flag'" in lines["group"]
    assert "flag --group" in lines["group"]
    assert "SYNCLINE_MODEL" in lines["model"]
    assert str(file) in lines["join.tolerance_ms"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tolerance-ms", "abc"], "tolerance_ms (flag --tolerance-ms): got 'abc', takes an integer"),
        (["--strategy", "latest"], "strategy (flag --strategy): got 'latest', takes earliest, nearest, tumbling"),
        (["--lanes", "left:video"], "lanes (flag --lanes): got 'left:video'"),
        (["--convert", "poem"], "convert (flag --convert): got 'poem', takes kinds: transcript, speech"),
        (["--convert", "speech=sing"], "takes speech=ENGINE with one of reference, piper, flite, python"),
        (["--convert", "speech,speech=piper"], "takes each kind once"),
        (["--convert", "speech=python:none.py:Voice"], "convert: got 'none.py', takes a Python file that is there"),
        (
            ["--convert-max-items", "0"],
            "convert_max_items (flag --convert-max-items): got 0, takes an integer",
        ),
        (["--model", "nosuch"], "model: got 'nosuch', takes null"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(arguments: list[str], told: str) -> None:
    """The last line of stderr; nothing on stdout."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]
