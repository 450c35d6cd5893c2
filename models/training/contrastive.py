"""The contrastive loss over pairs, with the whole batch of all processes as negatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.training.parallel import gather


def info_nce(
    a: Tensor,
    b: Tensor,
    temperature: float | Tensor = 0.07,
    *,
    concept: Tensor | None = None,
    hard: float = 0.0,
    gathered: bool = False,
) -> Tensor:
    """How hard it is to find, among all, each row's partner: from `a` to `b` and back; mean over rows, a scalar.

    a (n, n_state), b (n + n_others, n_state): row i of one belongs to row i of the other; what `b` has more is wrong
    for all of `a`. Both are made length 1 here. concept (n,): rows of one concept are no negatives of each other.
    hard: a negative weighs exp(hard * its logit), scaled to a mean weight of 1 (0: all weigh the same). gathered:
    whether the rows are those of all processes already, as `spread` gives them; else they are gathered, with gradient.
    Source: van den Oord et al. 2018 (arXiv 1807.03748), both ways as in CLIP (arXiv 2103.00020); hard negatives by
    importance weights as in Robinson et al. 2021 (arXiv 2010.04592).
    """
    n = len(a)
    a, partners, others = (F.normalize(x, dim=-1) for x in (a, b[:n], b[n:]))
    if not gathered:
        a, partners, others = gather(a), gather(partners), gather(others)
        concept = None if concept is None else gather(concept)
    itself = torch.eye(len(a), dtype=torch.bool, device=a.device)
    alike = itself if concept is None else concept[:, None] == concept
    logits = a @ torch.cat([partners, others]).T / temperature  # [n, n + n_others]
    there = F.pad(alike, (0, len(others)))
    return (_one_way(logits, there, hard) + _one_way(logits[:, : len(a)].T, alike, hard)) / 2


def _one_way(logits: Tensor, alike: Tensor, hard: float) -> Tensor:
    """Cross entropy of the diagonal, rows against columns, without the `alike` that are not the partner."""
    if hard > 0:
        logits = logits + torch.where(alike, 0.0, _log_weights(logits.detach(), alike, hard))
    itself = torch.eye(*logits.shape, dtype=torch.bool, device=logits.device)
    return -logits.masked_fill(alike & ~itself, -torch.inf).log_softmax(1).diagonal().mean()


def _log_weights(logits: Tensor, alike: Tensor, hard: float) -> Tensor:
    """Logarithm of each negative's weight, same shape: exp(hard * logit), scaled so that a row's mean weight is 1."""
    tilted = (hard * logits).masked_fill(alike, -torch.inf)
    n_negatives = (~alike).sum(1, keepdim=True).clamp_min(1)
    # A row without negatives has no weights to scale; its logarithm would be that of 0.
    scale = torch.where(alike.all(1, keepdim=True), 0.0, tilted.logsumexp(1, keepdim=True))
    return tilted - scale + n_negatives.log()
