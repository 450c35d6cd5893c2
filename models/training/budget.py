"""How long a phase of training goes on, by steps or by the clock, and the learning rate on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


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
