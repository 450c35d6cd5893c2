"""The training loop: one phase, step by step until its budget is spent. Resumable and data-parallel."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.training import parallel
from models.training.budget import Budget, EarlyStopping
from models.training.display import log_to
from models.training.parallel import share_layers
from models.training.run_folder import Run
from models.training.settings import TrainSettings
from models.training.training_state import Draws, State
from models.training.watch import Said, Watch
from syncline.errors import SettingsError

__all__ = ["Phase", "log_to"]

CLIP = 5.0
"""The norm that gradients are clipped to."""


class Phase:
    """One phase: steps with AdamW, an averaged copy of the weights, looks at validation, checkpoints.

    Args:
        name (str): of the phase, in logs and file names.
        trained (nn.Module): the module whose parameters are stepped.
        budget (Budget): how long it goes on.
        settings (TrainSettings): learning rate, weight decay, averaging, patience.
        run (Run | None): the folder of checkpoints, curves and TensorBoard logs; None: nothing is written.
    """

    def __init__(
        self, name: str, trained: nn.Module, budget: Budget, settings: TrainSettings, run: Run | None = None
    ) -> None:
        self._name, self._trained, self._budget, self._settings = name, trained, budget, settings
        self._folder = run
        if parallel.world_size() > 1:
            share_layers(trained)
        trained.to(parallel.device())
        weights = [p for p in trained.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in trained.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": settings.weight_decay},
            {"params": others, "weight_decay": 0.0},  # to pull biases and scales to 0 does no good
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
        self.slow = copy.deepcopy(trained)
        self._stopping = EarlyStopping(settings.patience)
        self._watch = Watch(name, budget, run, self._stopping)
        self._saved_s = budget.taken_s()

    def run(
        self,
        loss: Callable[[float], Tensor],
        losses: Callable[[], Said],
        look: Callable[[nn.Module], Said],
        drawn_from: object = None,
    ) -> None:
        """Train, then give `trained` the averaged weights; with patience, those of the best look at validation.

        Goes on from the phase's checkpoint; a phase that is over there is not trained again.

        Args:
            loss (Callable[[float], Tensor]): the loss of a fresh batch, given the part of the budget that is spent.
            losses (Callable[[], Said]): parts of the loss by name, for log and curves.
            look (Callable[[nn.Module], Said]): validation figures by name, higher is better; they decide early
                stopping.
            drawn_from (object): what holds the generators and the state of `loss`, for checkpoints. Default: the object
                whose method `loss` is.

        Raises:
            SettingsError: the checkpoint is of another network.
        """
        draws = Draws(getattr(loss, "__self__", None) if drawn_from is None else drawn_from)
        if self._resume(draws):
            return
        self._watch.open()
        self._trained.train()
        backward_loss = parallel.distributed(self._trained, loss)
        while (spent := self._spent()) < 1:
            self._step(backward_loss(spent), spent, losses)
            if parallel.is_first() and self._watch.look_due():
                self._watch.look(look, self._seen())
            if self._save_due():
                self._save(draws, is_over=False)
        self._end(look)
        self._save(draws, is_over=True)

    def _spent(self) -> float:
        """The part of the budget that is spent, by the first process's clock; 1 once patience has ended."""
        return parallel.from_first([1.0 if self._stopping.is_over else self._budget.spent()])[0]

    def _step(self, loss: Tensor, spent: float, losses: Callable[[], Said]) -> None:
        rate = self._budget.learning_rate(self._settings.learning_rate, spent)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._trained.parameters(), CLIP)
        self._optimizer.step()
        self._budget.step += 1
        self._follow()
        if parallel.is_first():
            self._watch.step(loss, rate, losses)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights towards the trained ones; faster at first, since early weights are worth little."""
        keep = min(self._settings.average, (1 + self._budget.step) / (10 + self._budget.step))
        for mine, theirs in zip(self.slow.state_dict().values(), self._trained.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - keep)
            else:
                mine.copy_(theirs)

    def _seen(self) -> nn.Module:
        """The averaged weights on the CPU, where validation runs."""
        return self.slow if parallel.device().type == "cpu" else copy.deepcopy(self.slow).cpu()

    def _end(self, look: Callable[[nn.Module], Said]) -> None:
        if parallel.is_first():
            self._watch.look(look, self._seen())
            self._stopping.give_best(self.slow)
            self._watch.say("done, early" if self._stopping.is_over else "done")
            self._watch.close()
        parallel.same_everywhere(self.slow)
        self._trained.load_state_dict(self.slow.state_dict())
        self._trained.cpu().eval()

    def _save_due(self) -> bool:
        if self._folder is None:
            return False
        if self._folder.checkpoint_steps:
            return self._budget.step % self._folder.checkpoint_steps == 0
        return self._budget.taken_s() - self._saved_s >= self._folder.checkpoint_s

    def _save(self, draws: Draws, *, is_over: bool) -> None:
        self._saved_s = self._budget.taken_s()
        if self._folder is None or not parallel.is_first():
            return
        state: State = {
            "is_over": is_over,
            "budget": {"step": self._budget.step, "taken_s": self._budget.taken_s()},
            "trained": self._trained.state_dict(),
            "draws": draws.state(),
        }
        if not is_over:
            state |= {
                "slow": self.slow.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "stopping": self._stopping.state(),
                "watch": self._watch.state(),
            }
        self._folder.save(self._name, state)

    def _resume(self, draws: Draws) -> bool:
        """Restore the last checkpoint, if there is one. Returns whether the phase is over."""
        state = self._folder.load(self._name) if self._folder is not None else None
        if state is None:
            return False
        try:
            self._restore(state, draws)
        except (KeyError, RuntimeError, ValueError) as error:
            raise SettingsError("checkpoint", self._name, f"one of this network, or --fresh ({error})") from error
        return state["is_over"]

    def _restore(self, state: State, draws: Draws) -> None:
        self._trained.load_state_dict(state["trained"])
        draws.restore(state["draws"])
        self._budget.resume(**state["budget"])
        if state["is_over"]:
            self._trained.cpu().eval()
            self._watch.say("was done before")
            return
        self.slow.load_state_dict(state["slow"])
        self._load_optimizer(state["optimizer"])
        self._stopping.restore(state["stopping"])
        self._watch.restore(state["watch"])
        self._saved_s = self._budget.taken_s()
        self._watch.say("goes on from its checkpoint")

    def _load_optimizer(self, state: State) -> None:
        self._optimizer.load_state_dict(state)
        for p, moments in self._optimizer.state.items():
            for name, value in moments.items():
                if _is_like(value, p):  # in memory as they were: other strides may add up in another order
                    moments[name] = torch.empty_like(p).copy_(value)


def _is_like(value: Any, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape
