"""How far to trust each part, by validation; and how often the network is right on it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.reference.network import LANES, Evidence, ReferenceNetwork

Lanes = list[bool]
"""Which of the lanes are there, in the order of `LANES`."""

SUBSETS: list[Lanes] = [[bool(n >> lane & 1) for lane in range(3)] for n in range(1, 8)]
"""Each way in which at least one of the three lanes is there."""

CALIBRATION_STEPS = 150


def subset_evidence(features: Tensor, has_text: Tensor, lanes: Lanes) -> tuple[Evidence, Tensor]:
    """Sets of only `lanes` from features (3, n, 2, n_state), and which concepts (n,) can be in them: text may lack."""
    can = has_text if lanes[1] else torch.ones_like(has_text)
    picked = features[torch.tensor(lanes)][:, can].transpose(0, 1)  # [n_can, n_lanes, 2, n_state]
    modality = torch.nonzero(torch.tensor(lanes))[:, 0].expand(len(picked), -1)
    return Evidence(picked, modality, torch.ones(modality.shape, dtype=torch.bool)), torch.nonzero(can)[:, 0]


def calibrate(
    network: ReferenceNetwork,
    features: Tensor,
    has_text: Tensor,
    parts: slice,
    *,
    with_fusion: bool = True,
    subsets: list[Lanes] = SUBSETS,
) -> None:
    """Set `network.trust[parts]` so that validation's sets of every kind are least surprised (features (3, n, 2, d)).

    Without the fusion only the branches count: the base that the Transformer then learns to add to.
    """
    before = network.trust.clone()
    log_trust = torch.zeros_like(before).requires_grad_()
    optimizer = torch.optim.Adam([log_trust], lr=0.05)
    kinds = [subset_evidence(features, has_text, lanes) for lanes in subsets]
    with torch.no_grad():
        fused = [network.fusion(e.features, e.modality, e.there) * with_fusion for e, _ in kinds]
    trust = before
    for _ in range(CALIBRATION_STEPS):
        trust = before.clone()
        trust[parts] = (before * log_trust.exp())[parts]
        losses = [
            F.nll_loss(_total(network, trust, evidence, of_set), concept)
            for (evidence, concept), of_set in zip(kinds, fused, strict=True)
        ]
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
    network.trust.copy_(trust.detach())


def _total(network: ReferenceNetwork, trust: Tensor, evidence: Evidence, fused: Tensor) -> Tensor:
    """What `network.fuse` says with other trust, of sets with one member a lane."""
    total = trust[-1] * network.shared(fused)
    for place, lane in enumerate(evidence.modality[0].tolist()):
        total = total + (trust[lane] * network.logits_alone(evidence.features[:, place], lane)).log_softmax(-1)
    return total.log_softmax(-1)


@torch.no_grad()
def fusion_accuracy(network: ReferenceNetwork, features: Tensor, has_text: Tensor) -> dict[str, float]:
    """Top-1 of all concepts for each kind of set; kinds with text over the concepts that have one."""
    network.eval()
    accuracy: dict[str, float] = {}
    for lanes in SUBSETS:
        evidence, concept = subset_evidence(features, has_text, lanes)
        found = network.fuse(evidence)[0].argmax(-1)
        name = "+".join(lane for lane, there in zip(LANES, lanes, strict=True) if there)
        accuracy[name] = float((found == concept).float().mean())
    return accuracy
