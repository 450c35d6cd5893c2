"""The contrastive loss: of many things in two forms, each form finds the other."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def contrast(mine: Tensor, theirs: Tensor, sharpness: Tensor, same: Tensor | None = None) -> Tensor:
    """InfoNCE both ways between (B, D) and (B + n_others, D), whose first B rows belong to `mine`, row by row.

    same: (B, B + n_others), true where two rows are the same thing: such are not told apart.
    Source: van den Oord, Li and Vinyals (2018), Representation Learning with Contrastive Predictive Coding; both ways
    as in Radford et al. (2021), CLIP.
    """
    n = len(mine)
    logits = sharpness * F.normalize(mine, dim=-1) @ F.normalize(theirs, dim=-1).T  # [B, B + n_others]
    target = torch.arange(n, device=mine.device)
    if same is not None:
        own = torch.eye(n, len(theirs), dtype=torch.bool, device=mine.device)
        logits = logits.masked_fill(same & ~own, -torch.inf)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits[:, :n].T, target)) / 2
