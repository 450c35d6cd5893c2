"""Training runs from a corpus to a folder, repeats with its seed, and goes on after a kill."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.folder import WEIGHTS
from models.reference.model import ReferenceModel
from models.training.settings import PhaseSteps, ReferenceSettings, parse_steps
from syncline.errors import SettingsError
from tests.support.tiny_corpus import LABELS
from tests.support.train_tiny import train


def start(out: Path, corpus: Path) -> subprocess.Popen[str]:
    """A process that trains on the tiny corpus."""
    command = [sys.executable, "-m", "tests.support.train_tiny", str(out), str(corpus)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def kill_at(process: subprocess.Popen[str], line: str) -> None:
    """SIGKILL once a line of its log begins so, and wait until none of its own processes is left."""
    assert process.stderr is not None
    seen: list[str] = []
    for said in process.stderr:
        seen.append(said)
        if line in said:
            process.send_signal(signal.SIGKILL)
            break
    else:
        raise AssertionError("".join(seen))
    process.stderr.read()  # ends when the last of its processes has closed it: they follow their parent
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()


@pytest.fixture(scope="module")
def whole(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder, tiny_corpus)
    return folder


@pytest.mark.slow
def test_training_repeats_to_the_bit(whole: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    """Seven steps twice with one seed give the same weights, byte for byte, and a model that opens."""
    train(tmp_path, tiny_corpus)
    assert (tmp_path / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    model = ReferenceModel(whole, device="cpu")
    assert (model.name, model.labels) == ("tiny", LABELS)
    log = (whole / "train.log").read_text()
    assert all(f"{part} step 7" in log for part in ("image", "text", "audio", "fusion"))
    assert {path.name for path in whole.iterdir()} >= {"learning-curve.png", "tensorboard", "curves", "train.log"}
    assert not {"run.json", "checkpoints"} & {path.name for path in whole.iterdir()}


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bytes(whole: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    """Killed with SIGKILL at a random step of a random phase: the weights are those of a whole run, byte for byte."""
    phase = random.choice(["image", "audio", "fusion"])
    kill_at(start(tmp_path, tiny_corpus), f"{phase} step {random.randint(1, 6)},")
    assert not (tmp_path / WEIGHTS).exists()
    last = start(tmp_path, tiny_corpus)
    _, said = last.communicate()
    assert last.returncode == 0, said
    assert "going on with tiny" in said
    assert "goes on from its checkpoint" in said or "was done before" in said
    assert (tmp_path / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_missing_corpus_says_how_to_build_it(tmp_path: Path) -> None:
    """Without a corpus the error names `make corpus`, before any training."""
    with pytest.raises(SettingsError, match="a corpus that `make corpus` built"):
        train(tmp_path / "out", tmp_path)


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "1,2,3,4,5"])
def test_wrong_steps_are_refused(text: str) -> None:
    """`--steps` takes four integers."""
    with pytest.raises(SettingsError, match="four integers"):
        parse_steps(text, PhaseSteps)


def test_wrong_settings_are_refused() -> None:
    """A run of no minutes, no steps or a negative seed is refused."""
    for wrong in ({"minutes": 0}, {"steps": PhaseSteps(0, 1, 1, 1)}, {"seed": -1}):
        with pytest.raises(SettingsError):
            ReferenceSettings(**wrong)
