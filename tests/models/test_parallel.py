"""Two processes that share each batch end with the weights of one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.support.train_shared import run_phases

pytestmark = pytest.mark.slow  # most of it is importing torch three times
PHASES = ("image", "text", "audio", "fusion", "spread_loss", "gathered_loss")


def torchrun(*arguments: str) -> tuple[int, str]:
    """Run a module in two processes over gloo on the loopback; exit code and what it said."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )
    try:
        said, _ = process.communicate()
    except BaseException:  # a time-out too: torchrun that is killed leaves its processes at work
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return process.returncode, said


@pytest.fixture(scope="module")
def shared(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    """What each of two processes ends with, after twenty steps of each kind of phase."""
    file = tmp_path_factory.mktemp("shared") / "weights"
    code, said = torchrun("tests.support.train_shared", str(file), str(tiny_corpus))
    assert code == 0, said
    return [load_file(f"{file}.{rank}") for rank in range(2)]


@pytest.fixture(scope="module")
def alone(tiny_corpus: Path) -> dict[str, Tensor]:
    """What one process ends with."""
    return run_phases(tiny_corpus)


def furthest(one: dict[str, Tensor], other: dict[str, Tensor], phase: str) -> float:
    """The largest difference between parameters or buffers of a phase."""
    mine = [name for name in one if name.startswith(f"{phase}/")]
    assert len(mine) > 3
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in mine)


@pytest.mark.parametrize("phase", PHASES)
def test_two_processes_train_as_one(phase: str, alone: dict[str, Tensor], shared: list[dict[str, Tensor]]) -> None:
    """After 20 steps of the same global batches all parameters are within 1e-5, in fact 1e-8, in double precision."""
    assert furthest(alone, shared[0], phase) < 1e-8


@pytest.mark.parametrize("phase", PHASES)
def test_processes_stay_equal(phase: str, shared: list[dict[str, Tensor]]) -> None:
    """Both processes have the same weights, to the bit."""
    assert furthest(shared[0], shared[1], phase) == 0


def test_the_phases_do_train(alone: dict[str, Tensor]) -> None:
    """Twenty steps move the weights far more than the processes differ."""
    torch.manual_seed(1)
    start = torch.nn.Linear(6, 12).weight.detach().double()
    assert float((alone["gathered_loss/one.0.weight"] - start).abs().max()) > 1e-3
