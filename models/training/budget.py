"""How long a phase goes on: by steps, by the clock, or until validation stops improving."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from models.training.training_state import State


class Budget:
    """The length of a phase. By steps a run repeats to the bit; by the clock it ends in time on any machine.

    Args:
        limit_s (float): seconds, where `n_steps` is None.
        n_steps (int | None): steps; None: by the clock.
        clock_s (Callable[[], float]): the clock, in seconds.
    """

    def __init__(
        self, limit_s: float, n_steps: int | None = None, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit_s, self.n_steps, self._clock_s = limit_s, n_steps, clock_s
        self._started_s = clock_s()
        self.step = 0

    def spent(self) -> float:
        """The part that is spent, 0 to 1."""
        if self.n_steps is not None:
            return min(1.0, self.step / self.n_steps)
        return min(1.0, self.taken_s() / self._limit_s)

    def taken_s(self) -> float:
        """Seconds of training, without those between a stop and a resume."""
        return self._clock_s() - self._started_s

    def left_s(self) -> float:
        """Seconds left, estimated where the budget is in steps; NaN before the first step."""
        spent = self.spent()
        return self.taken_s() / spent * (1 - spent) if spent else math.nan

    def learning_rate(self, peak: float, spent: float | None = None) -> float:
        """The schedule: rises to `peak` in the first twentieth, then falls to 0 along a cosine. Default: for now."""
        spent = self.spent() if spent is None else spent
        return peak * (spent / 0.05 if spent < 0.05 else 0.5 + 0.5 * math.cos(math.pi * (spent - 0.05) / 0.95))

    def resume(self, step: int, taken_s: float) -> None:
        """Go on from where a run was stopped."""
        self.step, self._started_s = step, self._clock_s() - taken_s


class Rhythm:
    """When to do what is done now and then. By steps it does not depend on the clock, so it repeats with the run.

    Args:
        budget (Budget): of the phase.
        every_s (float): seconds in between, by the clock.
        parts (int): how many times in a budget of steps.
    """

    def __init__(self, budget: Budget, every_s: float, parts: int) -> None:
        self._budget, self._every_s = budget, every_s
        self._every_steps = None if budget.n_steps is None else max(1, budget.n_steps // parts)
        self._last_s = 0.0

    def due(self) -> bool:
        """Whether it is due after the step that was just taken."""
        if self._every_steps is not None:
            return self._budget.step % self._every_steps == 0
        taken_s = self._budget.taken_s()
        if taken_s - self._last_s < self._every_s:
            return False
        self._last_s = taken_s
        return True


class EarlyStopping:
    """Ends a phase whose validation stops improving, and keeps the weights of the best look.

    A look's score is the mean of its figures, of which higher is better.

    Args:
        patience (int): how many looks without a better one end the phase; 0: never, and nothing is kept.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best, self._n_worse = -math.inf, 0
        self._weights: dict[str, Tensor] = {}

    @property
    def is_over(self) -> bool:
        """Whether patience has ended."""
        return 0 < self._patience <= self._n_worse

    def see(self, values: Mapping[str, float], module: nn.Module) -> None:
        """Judge a look's figures, and keep the weights of the best."""
        if not self._patience or not values:
            return
        score = sum(values.values()) / len(values)
        if score > self._best:
            self._best, self._n_worse = score, 0
            self._weights = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        else:
            self._n_worse += 1

    def give_best(self, module: nn.Module) -> None:
        """Load the best weights, if any were kept."""
        if self._weights:
            module.load_state_dict(self._weights)

    def state(self) -> State:
        """For a checkpoint."""
        return {"best": self._best, "n_worse": self._n_worse, "weights": self._weights}

    def restore(self, state: State) -> None:
        """From a checkpoint."""
        self._best, self._n_worse, self._weights = state["best"], state["n_worse"], state["weights"]
