"""Each kind of phase for twenty steps, alone or shared: `torchrun … -m tests.support.train_shared FILE CORPUS`.

In double precision: Adam divides a gradient by its size, and makes of the rounding of one that is nought (a bias before
BatchNorm, a key's bias in attention) steps as long as any. In double precision rounding is far below Adam's epsilon.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models.reference.network import LANES, Branch, NetworkDimensions, ReferenceNetwork
from models.training import parallel
from models.training.budget import Budget
from models.training.loop import Phase
from models.training.reference.data import TrainingData, open_corpus
from models.training.reference.encode import TASKS, info_nce
from models.training.reference.fuse import FusionTask
from models.training.reference.sources import train_tokenizer
from models.training.settings import ReferenceSettings
from tests.support.tiny_corpus import N_PHONES, WORDS, tiny_concepts, tiny_texts

N_STEPS = 20
SETTINGS = ReferenceSettings(image_batch=8, audio_batch=8, text_batch=8, fusion_batch=16, fusion_draws=2, average=0.0)
"""Without the slow copy: what is compared are the weights themselves. With dropout and all else as they are."""


class Pairs(nn.Module):
    """Two views of things, normalised by batch, that find each other: a contrastive phase."""

    def __init__(self, n_state: int = 12) -> None:
        super().__init__()
        self.one = nn.Sequential(nn.Linear(6, n_state), nn.BatchNorm1d(n_state), nn.Dropout(0.2))
        self.other = nn.Sequential(nn.Linear(6, n_state), nn.BatchNorm1d(n_state))
        self._dice = torch.Generator().manual_seed(7)

    def spread_loss(self, spent: float) -> Tensor:
        """Features of the whole batch by `spread`."""
        things, concept = self._draw()
        return info_nce(
            parallel.spread(self.one, things[0]), parallel.spread(self.other, things[1]), concept=concept,
            gathered=True, hard=0.5,
        )  # fmt: skip

    def gathered_loss(self, spent: float) -> Tensor:
        """Features of its own rows, which `info_nce` gathers."""
        things, concept = self._draw()
        mine = parallel.rows_of(len(concept))
        one, other = (F.relu(way[0](part[mine])) for way, part in zip((self.one, self.other), things, strict=True))
        return info_nce(one, other, 0.2, concept=concept[mine])

    def _draw(self) -> tuple[Tensor, Tensor]:
        things = torch.randn(8, 6, generator=self._dice, dtype=torch.float64)
        noise = torch.randn(2, 8, 6, generator=self._dice, dtype=torch.float64) * 0.1
        return things + noise, torch.randint(6, (8,), generator=self._dice)


def run_phases(corpus: Path) -> dict[str, Tensor]:
    """The weights that each phase ends with: `phase/parameter`."""
    tokenizer = train_tokenizer(tiny_concepts())
    dimensions = NetworkDimensions(
        len(tiny_concepts()), tokenizer.get_vocab_size(), N_PHONES, n_state=32, n_audio_channels=32
    )
    data = open_corpus(corpus, tiny_concepts(), tiny_texts(), WORDS, tokenizer, 1)
    out: dict[str, Tensor] = {}
    data.pictures.draw = in_double(data.pictures.draw)
    for spoken in (data.labels, data.words):
        spoken.source.draw_alike = in_double(spoken.source.draw_alike)
    for lane in LANES:
        torch.manual_seed(1)
        branch = Branch(lane, dimensions, SETTINGS.dropout).double()
        _train(out, lane, branch, TASKS[lane](branch, data, SETTINGS).loss)
    data = open_corpus(corpus, tiny_concepts(), tiny_texts(), WORDS, tokenizer, 1)
    _train_fusion(out, dimensions, data)
    for name in ("spread_loss", "gathered_loss"):
        torch.manual_seed(1)
        pairs = Pairs().double()
        _train(out, name, pairs, getattr(pairs, name))
    return out


def in_double(draw: Callable[..., Any]) -> Callable[..., Any]:
    """What a source draws, its numbers in double precision."""

    def drawn(*arguments: Any) -> Any:
        found = draw(*arguments)
        if isinstance(found, tuple):
            return tuple(part.double() if part.is_floating_point() else part for part in found)
        return found.double()

    return drawn


def _train_fusion(out: dict[str, Tensor], dimensions: NetworkDimensions, data: TrainingData) -> None:
    torch.manual_seed(1)
    network = ReferenceNetwork(dimensions, SETTINGS.dropout).requires_grad_(False)
    network.fusion.requires_grad_(True)
    network.shared.requires_grad_(True)
    network.shares.requires_grad_(True)
    task = FusionTask(network, data, SETTINGS)
    network.double()
    task._features, task._words = [of.double() for of in task._features], task._words.double()
    _train(out, "fusion", network, task.loss)


def _train(out: dict[str, Tensor], name: str, module: nn.Module, loss: object) -> None:
    Phase(name, module, Budget(0, N_STEPS), SETTINGS).run(loss, dict, lambda _: {})  # pyright: ignore
    out |= {f"{name}/{key}": tensor.clone() for key, tensor in module.state_dict().items()}


def main(file: str, corpus: str) -> None:
    """Run all, and write the weights of the first process and of the last."""
    torch.set_num_threads(1)
    parallel.start()
    weights = run_phases(Path(corpus))
    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, f"{file}.{parallel.rank()}")
    parallel.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
