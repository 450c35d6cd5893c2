"""All commands read the same flags, variables and syncline.toml."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from syncline.cli import main

ROOT = Path(__file__).parents[3]
NOWHERE = "127.0.0.1:1"
COMMANDS = [
    ["topics", "check"],
    ["topics", "create"],
    ["consume"],
    ["deadletter", "list"],
    ["explain", "media.text", "0", "0"],
]
"""One of each kind that asks a broker at once."""
WORKERS_FILE = f'brokers = "{NOWHERE}"\nmodel = "reference"\n[join]\ntolerance_ms = 40\n[security]\n'


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and stderr."""
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0), err.getvalue()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_workers_file_serves_every_command(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found in the working directory: where Kafka is counts, and what is the worker's own is no error."""
    monkeypatch.chdir(tmp_path)
    Path("syncline.toml").write_text(WORKERS_FILE)
    code, err = run(*command)
    assert (code, NOWHERE in err) == (1, True)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_misspelt_setting_is_an_error_for_every_command(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the file and as a variable: else `topic_prefx` would send to topics of another name, and say nothing."""
    monkeypatch.chdir(tmp_path)
    Path("syncline.toml").write_text('topic_prefx = "a."\n')
    code, err = run(*command)
    assert (code, "is topic_prefix meant?" in err) == (2, True)
    Path("syncline.toml").write_text("[joins]\ntolerance_ms = 1\n")
    assert run(*command, "--config", "syncline.toml")[0] == 2
    Path("syncline.toml").unlink()
    monkeypatch.setenv("SYNCLINE_TOPIC_PREFX", "a.")
    code, err = run(*command)
    assert (code, "is SYNCLINE_TOPIC_PREFIX meant?" in err) == (2, True)


def test_flags_go_before_variables_and_those_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For `topics create` as for the worker."""
    monkeypatch.chdir(tmp_path)
    Path("syncline.toml").write_text('brokers = "127.0.0.1:2"\n')
    assert "127.0.0.1:2" in run("topics", "create")[1]
    monkeypatch.setenv("SYNCLINE_BROKERS", "127.0.0.1:3")
    assert "127.0.0.1:3" in run("topics", "create")[1]
    assert "127.0.0.1:4" in run("topics", "create", "--brokers", "127.0.0.1:4")[1]


def test_the_clients_commands_need_no_service(tmp_path: Path) -> None:
    """Where only the wheel is installed: its commands run, and what a worker's file holds beside is left alone."""
    program = (
        "import sys\n"
        "for name in ('streams', 'models', 'processors', 'torch', 'faust', 'numpy'): sys.modules[name] = None\n"
        "from syncline.cli import main\n"
        "main(['consume', '--max', '1'])\n"
    )
    (tmp_path / "syncline.toml").write_text(WORKERS_FILE)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, NOWHERE in done.stderr) == (1, True), done.stderr
