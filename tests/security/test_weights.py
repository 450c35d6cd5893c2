"""Models are data, never programs: weights that are not what was trained end the worker before it reads a record."""

from __future__ import annotations

import asyncio
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_model import write_tiny_model
from tests.support.worker_process import ROOT

WEIGHTS = "weights.safetensors"


class Payload:
    """What runs where somebody unpickles it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._mark,)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model."""
    return write_tiny_model(tmp_path_factory.mktemp("model"))


def change_a_byte(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(data))


def leave_pickles(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    for name in ("weights.pt", "pytorch_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Payload(folder / "executed")))


def pickle_as_weights(folder: Path) -> None:
    """With the digest of what is there, as somebody would who may write the whole folder."""
    data = pickle.dumps(Payload(folder / "executed"))
    (folder / WEIGHTS).write_bytes(data)
    manifest = json.loads((folder / "model.json").read_text())
    manifest["sha256"][WEIGHTS] = sha256(data).hexdigest()
    (folder / "model.json").write_text(json.dumps(manifest))


async def run_worker(model: Path, port: int) -> subprocess.CompletedProcess[str]:
    """A worker whose broker is away: what it says of its model, it says before it looks for records."""
    command = [sys.executable, "-m", "syncline", "worker", "--model", str(model), "--brokers", f"127.0.0.1:{port}"]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (change_a_byte, "weights.safetensors: got 'sha256 "),
        (leave_pickles, "pickles (pytorch_model.bin, weights.pt) are never opened"),
        (pickle_as_weights, "takes weights of this network"),
    ],
)
async def test_weights_that_were_changed_end_the_worker(
    trained: Path, tmp_path: Path, unused_tcp_port: int, change: Callable[[Path], None], told: str
) -> None:
    """One line, exit code 2, and nothing of them is executed."""
    folder = Path(shutil.copytree(trained, tmp_path / "model"))
    change(folder)
    done = await run_worker(folder, unused_tcp_port)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("syncline: ")
    assert told in last
    assert "waiting: " not in done.stderr
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("name", ["weights.pt", "pytorch_model.bin", WEIGHTS])
async def test_a_file_is_no_model(trained: Path, tmp_path: Path, unused_tcp_port: int, name: str) -> None:
    """Whatever is in it: a model is a folder with a manifest."""
    (tmp_path / name).write_bytes((trained / WEIGHTS).read_bytes())
    done = await run_worker(tmp_path / name, unused_tcp_port)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("a folder with model.json, or FILE.py:CLASS")
