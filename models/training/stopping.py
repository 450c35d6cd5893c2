"""Early stopping: a phase ends where validation has not got better for a while, and keeps its best weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from models.training.snapshot import State


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
