"""What a phase shows while it trains: log, progress, TensorBoard, learning curve, looks at validation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from models.training.budget import Budget, EarlyStopping, Rhythm
from models.training.curve import CURVES, Curve, Point, as_line
from models.training.display import Progress, log, report
from models.training.run_folder import Run
from models.training.training_state import State

TENSORBOARD_FOLDER = "tensorboard"


class Board:
    """Writes OUT/tensorboard/PHASE from `step` on. Later steps of an earlier attempt are hidden."""

    def __init__(self, out: Path | None, phase: str, step: int) -> None:
        self._writer: Any = None
        if out is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(out / TENSORBOARD_FOLDER / phase), purge_step=step or None)

    def add(self, group: str, values: Mapping[str, float], step: int) -> None:
        """Write a point of each curve `group/name`."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Flush and close."""
        if self._writer is not None:
            self._writer.close()


LOG_EVERY_S = 15.0
LOOK_EVERY_S = 150.0
REPORT_EVERY_S = 0.25
N_LOSSES, N_LOOKS = 200, 20
"""How many losses and looks a phase by steps records."""

Said = Mapping[str, float]
"""Figures by name."""


class Watch:
    """Is told of each step, and logs, draws and records what is due. Higher is better in looks."""

    def __init__(self, phase: str, budget: Budget, run: Run | None, stopping: EarlyStopping) -> None:
        self._budget, self._run, self._stopping = budget, run, stopping
        self._curve = Curve(phase)
        self._points, self._looks = Rhythm(budget, LOG_EVERY_S, N_LOSSES), Rhythm(budget, LOOK_EVERY_S, N_LOOKS)
        self._loss_sum, self._n_losses = 0.0, 0
        self._logged_s = self._reported_s = -math.inf
        self._board = Board(None, phase, 0)

    def open(self) -> None:
        """Begin, or go on after `restore`."""
        self._board = Board(
            self._run.out if self._run and self._run.tensorboard else None, self._curve.phase, self._budget.step
        )

    def step(self, loss: Tensor, rate: float, losses: Callable[[], Said]) -> None:
        """Take note of a step. `rate`: its learning rate."""
        self._loss_sum, self._n_losses = self._loss_sum + float(loss.detach()), self._n_losses + 1
        if self._points.due():
            mean = self._loss_sum / self._n_losses
            self._loss_sum, self._n_losses = 0.0, 0
            self._point(self._curve.loss, "loss", {"total": mean, **losses()})
            self._board.add("schedule", {"learning_rate": rate}, self._budget.step)
        taken_s = self._budget.taken_s()
        if taken_s - self._logged_s >= LOG_EVERY_S:
            self._logged_s = taken_s
            self.say(as_line(losses()))
        if taken_s - self._reported_s >= REPORT_EVERY_S:
            self._reported_s = taken_s
            self._report(float(loss.detach()))

    def look_due(self) -> bool:
        """Whether to look at validation after this step. The last look is made by the phase itself."""
        return self._looks.due() and self._budget.spent() < 1

    def look(self, look: Callable[[nn.Module], Said], module: nn.Module) -> None:
        """Look at validation; log and record its figures."""
        said = look(module)
        self.say(f"validation {as_line(said)}")
        if said:
            self._point(self._curve.validation, "validation", dict(said))
        self._stopping.see(said, module)

    def close(self) -> None:
        """End the phase: write its curve."""
        self._report(self._curve.loss[-1].values["total"] if self._curve.loss else math.nan, over=True)
        self._board.close()
        if self._run:
            self._curve.write(self._run.out)

    def say(self, text: str) -> None:
        """Log a line with step and time."""
        b, cpu_s, name = self._budget, time.process_time(), self._curve.phase
        log.info("%s step %d, %.0f s (CPU %.0f s), %.0f s left: %s", name, b.step, b.taken_s(), cpu_s, b.left_s(), text)

    def state(self) -> State:
        """For a checkpoint."""
        points = {name: [[p.step, p.taken_s, p.values] for p in getattr(self._curve, name)] for name in CURVES}
        return {"curves": points, "loss_sum": self._loss_sum, "n_losses": self._n_losses}

    def restore(self, state: State) -> None:
        """From a checkpoint."""
        for name in CURVES:
            setattr(self._curve, name, [Point(*point) for point in state["curves"][name]])
        self._loss_sum, self._n_losses = state["loss_sum"], state["n_losses"]

    def _point(self, curve: list[Point], group: str, values: dict[str, float]) -> None:
        curve.append(Point(self._budget.step, round(self._budget.taken_s(), 3), values))
        self._board.add(group, values, self._budget.step)

    def _report(self, loss: float, *, over: bool = False) -> None:
        b = self._budget
        report(Progress(self._curve.phase, b.step, 1.0 if over else b.spent(), b.left_s(), loss))
