"""What is seen of a run: checkpoints as bytes, early stopping, the picture of the learning curve, TensorBoard, bars."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import nn

from models.folder import write_whole
from models.training import display
from models.training.budget import Budget, EarlyStopping, Rhythm
from models.training.curve import PICTURE, Curve, Point, draw, read_curves
from models.training.display import CountedWork, Display, Progress, report
from models.training.loop import Phase
from models.training.run_folder import Run
from models.training.settings import TrainSettings
from models.training.training_state import pack, unpack


def test_a_state_comes_back() -> None:
    """Tensors of all kinds, numbers to the bit, None, lists, and mappings with integer keys."""
    state = {
        "weights": {"a": torch.randn(3, 2).to(torch.float64), "b": torch.tensor(7), "c": torch.zeros(0)},
        0: [1, 0.1 + 0.2, None, "x", {"inner": torch.tensor([True, False])}],
        "best": -float("inf"),
        "large": 2**200,
    }
    found = unpack(pack(state), "here")
    assert torch.equal(found["weights"]["a"], state["weights"]["a"])
    assert found["weights"]["b"].shape == ()
    assert found[0][:4] == [1, 0.1 + 0.2, None, "x"]
    assert found[0][4]["inner"].tolist() == [True, False]
    assert (found["best"], found["large"]) == (-float("inf"), 2**200)


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the machine dies before the rename, the old file stands."""
    write_whole(tmp_path / "file", b"old")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_patience_ends_and_the_best_is_kept() -> None:
    """Two looks without a better one are enough; the weights of the best look come back."""
    stopping, module = EarlyStopping(2), nn.Linear(1, 1, bias=False)
    seen = []
    for score in (0.1, 0.5, 0.4, 0.5):
        seen.append(stopping.is_over)
        nn.init.constant_(module.weight, score)
        stopping.see({"image": score, "text": score}, module)
    assert seen == [False, False, False, False]
    assert stopping.is_over
    stopping.give_best(module)
    assert module.weight.item() == 0.5


def test_without_patience_nothing_is_kept() -> None:
    """Patience 0: the last weights stay."""
    stopping, module = EarlyStopping(0), nn.Linear(1, 1)
    for score in (0.9, 0.1, 0.1, 0.1):
        stopping.see({"image": score}, module)
    before = module.weight.clone()
    stopping.give_best(module)
    assert not stopping.is_over
    assert torch.equal(module.weight, before)


def test_a_phase_stops_early(tmp_path: Path) -> None:
    """Looks that get no better end the phase long before its budget; the curve says when."""
    module, run = nn.Linear(2, 1), Run(tmp_path)

    def loss(spent: float) -> torch.Tensor:
        return module(torch.ones(1, 2)).square().mean()

    Phase("short", module, Budget(0, 100), TrainSettings(patience=3), run).run(loss, dict, lambda _: {"right": 0.5})
    (curve,) = read_curves(tmp_path)
    assert [point.step for point in curve.validation] == [5, 10, 15, 20, 20]
    assert curve.loss[-1].step == 20


def test_rhythm_by_steps_and_by_the_clock() -> None:
    """By steps in parts of the budget, whatever the clock says; by the clock when so much time went by."""
    now = [0.0]
    by_steps = Budget(1.0, 100, lambda: now[0])
    rhythm = Rhythm(by_steps, 10.0, 20)
    due = []
    for by_steps.step in range(1, 12):
        due.append(rhythm.due())
    assert [step for step, is_due in enumerate(due, start=1) if is_due] == [5, 10]
    rhythm = Rhythm(Budget(100.0, None, lambda: now[0]), 10.0, 20)
    due = []
    for now[0] in (1.0, 9.0, 10.0, 11.0, 25.0):
        due.append(rhythm.due())
    assert due == [False, False, True, False, True]


def test_the_learning_curve_is_a_picture(tmp_path: Path) -> None:
    """A row a phase, one for each file of points, in colours."""
    for phase in ("image", "fusion"):
        loss = [Point(i, i * 0.5, {"total": 3 / i, "phones": 9 / i}) for i in range(1, 60)]
        Curve(phase, loss, [Point(i, i * 0.5, {"image": i / 60}) for i in (20, 40, 60)]).write(tmp_path)
    assert draw(read_curves(tmp_path), tmp_path / PICTURE)
    with Image.open(tmp_path / PICTURE) as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(2**24) or []) > 50


def test_no_points_no_picture(tmp_path: Path) -> None:
    """Nothing is drawn of nothing."""
    assert not draw(read_curves(tmp_path), tmp_path / PICTURE)


def test_tensorboard_has_the_curves(tmp_path: Path) -> None:
    """Losses, learning rate and looks, by step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    module = nn.Linear(2, 1)

    def loss(spent: float) -> torch.Tensor:
        return module(torch.ones(1, 2)).square().mean()

    run = Run(tmp_path, tensorboard=True)
    Phase("seen", module, Budget(0, 10), TrainSettings(), run).run(loss, lambda: {"a": 1.0}, lambda _: {"right": 0.5})
    events = EventAccumulator(str(tmp_path / "tensorboard" / "seen"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"loss/total", "loss/a", "schedule/learning_rate", "validation/right"}
    assert [event.step for event in events.Scalars("loss/total")] == list(range(1, 11))


def test_bars_move_on_a_terminal() -> None:
    """Each phase has its line, with step and time left; log lines go above it."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with Display(console) as shown:
        assert shown.queue is not None
        report(Progress("image", 12, 0.25, 300.0, 2.5))
        report(Progress("audio", 7, 0.5, 20.0, 1.25))
        shown.queue.put("a line of the log")
    said = out.getvalue()
    assert all(
        part in said for part in ("image", "step 12", "5 min left", "20 s left", "loss 1.250", "a line of the log")
    )


def test_elsewhere_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr is no terminal there are no bars, and reports go nowhere."""
    monkeypatch.setattr(display.sys, "stderr", io.StringIO())
    with Display() as shown:
        assert shown.queue is None
        report(Progress("image", 1, 0.1, 1.0, 1.0))


def test_counted_work_has_a_bar_on_a_terminal() -> None:
    """Work that has no loss shows how many steps are done."""
    out = io.StringIO()
    with Display(Console(file=out, force_terminal=True, width=120)):
        work = CountedWork("pictures", 2)
        work.step()
        work.step()
    said = out.getvalue()
    assert all(part in said for part in ("pictures", "step 2", "done"))
    assert "loss" not in said


def test_counted_work_is_a_line_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Without bars the last step is a line on stderr."""
    CountedWork("pictures", 1).step()
    assert capsys.readouterr().err == "pictures: 1/1, 0 s, 0 s left\n"
