"""A run that is killed goes on from its checkpoint and ends as one that was not."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.training.budget import Budget
from models.training.loop import Phase
from models.training.run_folder import CHECKPOINTS, Identity, Run, begin, finish, occupy
from models.training.settings import TrainSettings
from syncline.errors import SettingsError

N_STEPS = 12
SETTINGS = TrainSettings(learning_rate=0.05)


class KilledError(Exception):
    """Stands for the kill, where one process is enough."""


class Source:
    """Draws ahead, as `SpeechSource` does."""

    RESUMED = ("_waiting",)

    def __init__(self) -> None:
        self._generator, self._waiting = torch.Generator().manual_seed(3), list[Tensor]()

    def draw(self) -> Tensor:
        """One of five that were drawn together."""
        if not self._waiting:
            self._waiting = list(torch.randn(5, 4, 3, generator=self._generator))
        return self._waiting.pop()


class Task:
    """A loss with every kind of chance and state in it; `killed_at` raises at a step."""

    def __init__(self, module: nn.Module, killed_at: int = -1) -> None:
        self._module, self._killed_at, self._n = module, (killed_at,), 0
        self._source, self._numpy = {"one": Source()}, np.random.default_rng(5)

    def loss(self, spent: float) -> Tensor:
        """Draws from a source, numpy's generators, python's and torch's, and counts its own steps."""
        if self._n in self._killed_at:
            raise KilledError
        self._n += 1
        noise = self._numpy.normal() + np.random.normal() + random.random() + float(torch.rand(())) + self._n % 3
        return (self._module(self._source["one"].draw()) * noise).square().mean()


def trained(out: Path, *, killed_at: int = -1, checkpoint_steps: int = 1, patience: int = 0) -> dict[str, Tensor]:
    """The weights after a phase that may be killed on the way."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    module = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2))
    task = Task(module, killed_at)
    settings = TrainSettings(learning_rate=0.05, patience=patience)
    run = Run(out, checkpoint_steps=checkpoint_steps)
    Phase("phase", module, Budget(0, N_STEPS), settings, run).run(task.loss, dict, lambda _: {"right": -task._n})
    return module.state_dict()


@pytest.mark.parametrize("patience", [0, 2])
@pytest.mark.parametrize("checkpoint_steps", [1, 3])
@pytest.mark.parametrize("killed_at", [1, 4, 11])
def test_a_phase_goes_on_to_the_bit(tmp_path: Path, killed_at: int, checkpoint_steps: int, patience: int) -> None:
    """Weights, slow copy, optimiser, all generators and what was drawn ahead are as they were."""
    whole = trained(tmp_path / "whole", patience=patience)
    if patience == 0 or killed_at < 3:  # with patience 2 and looks that only get worse the phase ends after 3 steps
        with pytest.raises(KilledError):
            trained(tmp_path / "cut", killed_at=killed_at, checkpoint_steps=checkpoint_steps, patience=patience)
    again = trained(tmp_path / "cut", checkpoint_steps=checkpoint_steps, patience=patience)
    assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())


def test_a_phase_that_is_over_trains_no_more(tmp_path: Path) -> None:
    """The second time its weights come from the checkpoint; a loss that would fail at once is never asked."""
    first = trained(tmp_path)
    second = trained(tmp_path, killed_at=0)
    assert all(torch.equal(first[name], tensor) for name, tensor in second.items())


def test_other_state_than_was_kept_is_refused(tmp_path: Path) -> None:
    """A version whose source keeps something else does not go on with a checkpoint: what differs is named."""
    with pytest.raises(KilledError):
        trained(tmp_path / "cut", killed_at=5)
    Source.RESUMED, kept = (), Source.RESUMED
    try:
        with pytest.raises(SettingsError, match="_waiting"):
            trained(tmp_path / "cut")
    finally:
        Source.RESUMED = kept


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    """Bytes that are no checkpoint are refused by file name."""
    (tmp_path / CHECKPOINTS).mkdir()
    (tmp_path / CHECKPOINTS / "phase.safetensors").write_bytes(b"nonsense")
    with pytest.raises(SettingsError, match=r"phase\.safetensors.*takes a checkpoint"):
        trained(tmp_path)


ONE = Identity("a", {"seed": 1, "minutes": 2.0}, {"pictures.npy": 5}, "2.0")


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Identity("b", ONE.settings, ONE.corpus, "2.0"), "name 'a' there, 'b' here"),
        (Identity("a", {"seed": 2, "minutes": 2.0}, ONE.corpus, "2.0"), "seed 1 there, 2 here"),
        (Identity("a", ONE.settings, {"pictures.npy": 6}, "2.0"), "bytes of the corpus"),
        (Identity("a", ONE.settings, ONE.corpus, "2.1"), "torch '2.0' there, '2.1' here"),
    ],
)
def test_another_run_is_refused(tmp_path: Path, other: Identity, named: str) -> None:
    """An unfinished run of other settings is neither gone on with nor thrown away unasked; the difference is named."""
    run = Run(tmp_path)
    begin(run, ONE, None)
    with pytest.raises(SettingsError, match=named):
        begin(run, other, None)
    assert begin(run, ONE, None)
    assert not begin(run, other, resume=False)


def test_nothing_to_resume_is_refused(tmp_path: Path) -> None:
    """`--resume` wants an unfinished run: one that is finished, or none, is said to be none."""
    run = Run(tmp_path)
    with pytest.raises(SettingsError, match="none to go on with"):
        begin(run, ONE, resume=True)
    begin(run, ONE, None)
    assert begin(run, ONE, resume=True)
    finish(run)
    with pytest.raises(SettingsError, match="none to go on with"):
        begin(run, ONE, resume=True)


def test_a_run_says_that_it_begins_or_goes_on_and_what_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log's first lines: which settings, and why there will be no TensorBoard logs."""
    caplog.set_level("INFO", logger="models.training")
    begin(Run(tmp_path, tensorboard=True), ONE, None)
    begin(Run(tmp_path, tensorboard=False), ONE, None)
    assert caplog.messages == [
        'training a: {"seed":1,"minutes":2.0}',
        'going on with a: {"seed":1,"minutes":2.0}',
        "no TensorBoard logs; they need pip install 'syncline[train]'",
    ]


def test_two_runs_in_one_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is at work in the folder another is told so."""
    monkeypatch.setattr("models.training.run_folder.ORPHANS_LIMIT_S", 0.0)
    with occupy(tmp_path, alone=True), pytest.raises(SettingsError, match="no other run is at work"):
        occupy(tmp_path, alone=True)
    occupy(tmp_path, alone=True).__exit__(None, None, None)
