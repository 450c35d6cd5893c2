"""The contrastive loss is cross entropy over pairs, with its exceptions."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812

from models.training.reference.encode import info_nce


def pairs(n: int = 6, n_others: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows that belong together somewhat."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(n, 4, generator=generator)
    b = torch.cat([a + torch.randn(n, 4, generator=generator), torch.randn(n_others, 4, generator=generator)])
    return F.normalize(a, dim=1), F.normalize(b, dim=1)


def test_it_is_the_mean_of_both_ways() -> None:
    """Without options: cross entropy of a against b and of b against a."""
    a, b = pairs()
    logits, itself = a @ b.T / 0.2, torch.arange(6)
    wanted = (F.cross_entropy(logits, itself) + F.cross_entropy(logits.T, itself)) / 2
    assert torch.allclose(info_nce(3 * a, b, 0.2), wanted)


def test_rows_of_one_concept_are_no_negatives() -> None:
    """With rows 0 and 1 of one concept, each is scored without the other."""
    a, b = pairs(3)
    logits = a @ b.T / 0.5
    kept = [[0, 2], [1, 2], [0, 1, 2]]
    one_way = [F.cross_entropy(logits[i, c][None], torch.tensor([c.index(i)])) for i, c in enumerate(kept)]
    other_way = [F.cross_entropy(logits.T[i, c][None], torch.tensor([c.index(i)])) for i, c in enumerate(kept)]
    wanted = (torch.stack(one_way).mean() + torch.stack(other_way).mean()) / 2
    assert torch.allclose(info_nce(a, b, 0.5, concept=torch.tensor([4, 4, 9])), wanted)


def test_others_are_wrong_for_all_rows() -> None:
    """What `b` has more makes a's way harder, and leaves b's as it is."""
    a, b = pairs(4, 3)
    logits, itself = a @ b.T / 0.3, torch.arange(4)
    wanted = (F.cross_entropy(logits, itself) + F.cross_entropy(logits[:, :4].T, itself)) / 2
    assert torch.allclose(info_nce(a, b, 0.3), wanted)


def test_hard_negatives_weigh_more() -> None:
    """The weights have mean 1, so alike negatives make it harder, and where all are alike nothing changes."""
    a, b = pairs()
    assert info_nce(a, b, 0.2, hard=1.0) > info_nce(a, b, 0.2) + 1e-3
    same = torch.ones(5, 4)
    assert torch.allclose(info_nce(same, same, 0.2, hard=1.0), info_nce(same, same, 0.2))


def test_a_row_without_negatives_is_no_trouble() -> None:
    """All rows of one concept: the loss is 0, and so is its gradient."""
    a, b = pairs(3)
    a = a.clone().requires_grad_()
    loss = info_nce(a, b, 0.2, concept=torch.zeros(3), hard=1.0)
    loss.backward()
    assert loss.item() == 0.0
    assert a.grad is not None
    assert not a.grad.any()
