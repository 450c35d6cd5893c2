"""How long a phase of training goes on: by steps, by the clock, or until validation has not got better for a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from models.training.training_state import State


class Budget:
    """Ends after `n_steps`, or after `limit_s` seconds where `n_steps` is None.

    By steps a run repeats to the bit with its seed; by the clock it ends in time on any machine.
    """

    def __init__(
        self, limit_s: float, n_steps: int | None = None, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit_s, self.n_steps, self._clock_s = limit_s, n_steps, clock_s
        self._started_s = clock_s()
        self.step = 0

    def spent(self) -> float:
        """The part of the budget that is gone, 0 to 1."""
        if self.n_steps is not None:
            return min(1.0, self.step / self.n_steps)
        return min(1.0, self.taken_s() / self._limit_s)

    def taken_s(self) -> float:
        """Seconds since the start, without those between a stop and a resume."""
        return self._clock_s() - self._started_s

    def left_s(self) -> float:
        """Seconds that are left, estimated where the budget is in steps."""
        spent = self.spent()
        return self.taken_s() / spent * (1 - spent) if spent else math.nan

    def learning_rate(self, peak: float, spent: float | None = None) -> float:
        """Rises for the first twentieth, then falls along a cosine to nothing; `spent`: default what is spent now."""
        spent = self.spent() if spent is None else spent
        return peak * (spent / 0.05 if spent < 0.05 else 0.5 + 0.5 * math.cos(math.pi * (spent - 0.05) / 0.95))

    def resume(self, step: int, taken_s: float) -> None:
        """Go on from where a run was stopped."""
        self.step, self._started_s = step, self._clock_s() - taken_s


class Rhythm:
    """When something is due that is done now and then: `parts` times in a budget of steps, else every `every_s`.

    By steps it does not depend on the clock, so what is decided then repeats with the run.
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
    """Keeps the weights of the best look; `patience`: how many looks without a better one end the phase, 0 none do.

    With patience 0 nothing is kept either: the last weights are the phase's. A look's score is the mean of its
    numbers, all of which are better when they are higher.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best, self._n_worse = -math.inf, 0
        self._weights: dict[str, Tensor] = {}

    @property
    def is_over(self) -> bool:
        """Whether patience is at its end."""
        return 0 < self._patience <= self._n_worse

    def see(self, values: Mapping[str, float], module: nn.Module) -> None:
        """Take a look's numbers, and the weights that they are of."""
        if not self._patience or not values:
            return
        score = sum(values.values()) / len(values)
        if score > self._best:
            self._best, self._n_worse = score, 0
            self._weights = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        else:
            self._n_worse += 1

    def give_best(self, module: nn.Module) -> None:
        """Set the best weights, where some were kept."""
        if self._weights:
            module.load_state_dict(self._weights)

    def state(self) -> State:
        """For a checkpoint."""
        return {"best": self._best, "n_worse": self._n_worse, "weights": self._weights}

    def restore(self, state: State) -> None:
        """From a checkpoint."""
        self._best, self._n_worse, self._weights = state["best"], state["n_worse"], state["weights"]
