"""deploy/extras.sh: what EXTRAS adds to the image comes by the lock."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = '#!/bin/sh\nprintf "%s\\n" "$@" >"$TOLD"\n'


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment as setup.sh leaves it, and beside it a `uv` that notes what it is told."""
    (tmp_path / "venv").mkdir()
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    return tmp_path / "venv"


def told(venv: Path, extras: str, torch: str = "") -> list[str]:
    """What uv is told, nothing where it is not called."""
    (venv / ".torch").write_text(f"{torch}\n")
    note = venv.parent / "told"
    environment = {"PATH": f"{venv.parent}:{os.environ['PATH']}", "TOLD": str(note)}
    subprocess.run(["sh", "deploy/extras.sh", str(venv), extras], cwd=ROOT, env=environment, check=True)
    return note.read_text().splitlines() if note.exists() else []


def pins(lock: Path) -> list[str]:
    """The line of each package."""
    return [line for line in lock.read_text().splitlines() if line[:1].isalpha()]


def test_without_extras_nothing_is_installed(venv: Path) -> None:
    """Most images need none."""
    assert told(venv, "") == []


def test_extras_come_by_the_lock(venv: Path) -> None:
    """Each is named to uv, and only files whose hashes are locked are taken."""
    words = told(venv, "transcribe,onnx")
    assert [words[place + 1] for place, word in enumerate(words) if word == "--extra"] == ["transcribe", "onnx"]
    assert "--require-hashes" in words
    assert words[words.index("--constraint") + 1] == "requirements/dev.txt"


def test_beside_a_small_torch_only_its_own_hashes_are_left_out(venv: Path) -> None:
    """TORCH=cpu takes another file of torch than the one that is locked, in the locked version."""
    words = told(venv, "transcribe", "cpu")
    assert words[words.index("--torch-backend") + 1] == "cpu"
    kept = pins(Path(words[words.index("--constraint") + 1]))
    locked = pins(ROOT / "requirements" / "dev.txt")
    assert [line.split()[0] for line in kept] == [line.split()[0] for line in locked]
    assert {line.partition("==")[0] for line in kept if not line.endswith("\\")} == {"torch", "torchvision"}
