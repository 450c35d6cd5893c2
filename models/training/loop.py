"""One phase of training: steps until the budget is spent, with a slow copy of the weights and a log."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from models.training.budget import Budget
from models.training.settings import TrainSettings

LOG_EVERY_S = 15.0
LOOK_EVERY_S = 150.0
CLIP = 5.0
"""Gradients longer than this are shortened."""

log = logging.getLogger("models.training")


def log_to(path: Path) -> None:
    """Send the lines of training to stderr and to the end of a file; said twice, it stays at one each."""
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    log.setLevel(logging.INFO)
    log.propagate = False
    for handler in (logging.StreamHandler(), logging.FileHandler(path, delay=True)):
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)


class Phase:
    """Runs `loss` and steps the parameters of `trained` until `budget` is spent."""

    def __init__(self, name: str, trained: nn.Module, budget: Budget, settings: TrainSettings) -> None:
        self._name, self._trained, self._budget, self._settings = name, trained, budget, settings
        weights = [p for p in trained.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in trained.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": settings.weight_decay},
            {"params": others, "weight_decay": 0.0},  # to pull biases and scales to 0 does no good
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
        self.slow = copy.deepcopy(trained)

    def run(self, loss: Callable[[float], Tensor], losses: Callable[[], str], look: Callable[[nn.Module], str]) -> None:
        """Train, then give `trained` the slow copy's weights. `losses` and `look` are for the log."""
        said_s = looked_s = 0.0
        self._trained.train()
        while self._budget.spent() < 1:
            self._step(loss(self._budget.spent()))
            taken_s = self._budget.taken_s()
            if taken_s - said_s >= LOG_EVERY_S:
                said_s = taken_s
                self._say(losses())
            if taken_s - looked_s >= LOOK_EVERY_S:
                looked_s = taken_s
                self._say(f"validation {look(self.slow)}")
        self._trained.load_state_dict(self.slow.state_dict())
        self._trained.eval()
        self._say(f"done, validation {look(self._trained)}")

    def _step(self, loss: Tensor) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self._budget.learning_rate(self._settings.learning_rate)
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._trained.parameters(), CLIP)
        self._optimizer.step()
        self._budget.step += 1
        # Early weights are worth little: the copy follows fast at first.
        keep = min(self._settings.average, (1 + self._budget.step) / (10 + self._budget.step))
        with torch.no_grad():
            for mine, theirs in zip(self.slow.state_dict().values(), self._trained.state_dict().values(), strict=True):
                if mine.is_floating_point():
                    mine.lerp_(theirs, 1 - keep)
                else:
                    mine.copy_(theirs)

    def _say(self, text: str) -> None:
        b, cpu_s = self._budget, time.process_time()
        log.info(
            "%s step %d, %.0f s (CPU %.0f s), %.0f s left: %s", self._name, b.step, b.taken_s(), cpu_s, b.left_s(), text
        )
