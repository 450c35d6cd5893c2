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
        self._limit_s, self._n_steps, self._clock_s = limit_s, n_steps, clock_s
        self._started_s = clock_s()
        self.step = 0

    def spent(self) -> float:
        """The part of the budget that is gone, 0 to 1."""
        if self._n_steps is not None:
            return min(1.0, self.step / self._n_steps)
        return min(1.0, self.taken_s() / self._limit_s)

    def taken_s(self) -> float:
        """Seconds since the start."""
        return self._clock_s() - self._started_s

    def left_s(self) -> float:
        """Seconds that are left, estimated where the budget is in steps."""
        spent = self.spent()
        return self.taken_s() / spent * (1 - spent) if spent else math.nan

    def learning_rate(self, peak: float) -> float:
        """Rises for the first twentieth, then falls along a cosine to nothing."""
        spent = self.spent()
        return peak * (spent / 0.05 if spent < 0.05 else 0.5 + 0.5 * math.cos(math.pi * (spent - 0.05) / 0.95))
