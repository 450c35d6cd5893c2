"""Calibration on validation: how far to trust each part of the network, and how often it is right."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.evaluation.figures import interval
from models.reference.network import LANES, Evidence, ReferenceNetwork, kind_of

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


def calibrate_alone(network: ReferenceNetwork, features: Tensor, has_text: Tensor) -> None:
    """Set how far to trust each branch where nothing but their sum answers (features (3, n, 2, n_state)).

    The Transformer then learns what to add to that sum: it counts in full until `calibrate` says how much.
    """
    network.trust_alone.copy_(_fit(network, _kinds(network, features, has_text), with_fusion=False)[:-1])
    network.trust.copy_(F.pad(network.trust_alone, (0, 1), value=1.0))


def calibrate(network: ReferenceNetwork, features: Tensor, has_text: Tensor, pair: Lanes | None = None) -> None:
    """Set how far to trust each part in sets of every kind: the trust with the lowest negative log-probability.

    The Transformer counts in the kinds where it surely helps: the lower end of the 95 % interval of its gain is above
    0. Other kinds are answered by the sum alone: given the concept, the corpus draws media independently, and Bayes'
    rule is then such a sum.

    Args:
        network (ReferenceNetwork): the network, whose trust is set.
        features (Tensor): of validation, (3, n, 2, n_state).
        has_text (Tensor): of validation, (n,).
        pair (Lanes | None): a specialist's lanes; there the Transformer always counts.
    """
    subsets = SUBSETS if pair is None else [pair]
    kinds = _kinds(network, features, has_text, subsets)
    alone, fitted = F.pad(network.trust_alone, (0, 1)), _fit(network, kinds)
    network.trust.copy_(alone)
    for lanes, kind in zip(subsets, kinds, strict=True):
        gain = kind.surprise(network, alone) - kind.surprise(network, fitted)
        if pair is not None or interval(gain.double().numpy())[0] > 0:
            network.trust[kind_of([torch.tensor(there) for there in lanes])] = fitted


@dataclass(frozen=True)
class _Subset:
    """Validation's sets of one kind, a member a lane: their concepts (n,), and what the Transformer makes of them."""

    evidence: Evidence
    concept: Tensor
    fused: Tensor

    def surprise(self, network: ReferenceNetwork, trust: Tensor) -> Tensor:
        """Negative log-probability (n,) of the right concept by `network.fuse`, had it this trust (4,)."""
        total = trust[-1] * network.shared(self.fused)
        for place, lane in enumerate(self.evidence.modality[0].tolist()):
            logits = network.logits_alone(self.evidence.features[:, place], lane)
            total = total + (trust[lane] * logits).log_softmax(-1)
        return F.nll_loss(total.log_softmax(-1), self.concept, reduction="none")


@torch.no_grad()
def _kinds(
    network: ReferenceNetwork, features: Tensor, has_text: Tensor, subsets: list[Lanes] = SUBSETS
) -> list[_Subset]:
    evidences = [subset_evidence(features, has_text, lanes) for lanes in subsets]
    return [_Subset(e, concept, network.fusion(e.features, e.modality, e.there)) for e, concept in evidences]


def _fit(network: ReferenceNetwork, kinds: list[_Subset], *, with_fusion: bool = True) -> Tensor:
    """The trust (4,) with the lowest mean surprise; each kind counts the same."""
    start = F.pad(network.trust_alone, (0, 1), value=float(with_fusion))
    log_trust = torch.zeros_like(start).requires_grad_()
    optimizer = torch.optim.Adam([log_trust], lr=0.05)
    for _ in range(CALIBRATION_STEPS):
        trust = start * log_trust.exp()
        optimizer.zero_grad()
        torch.stack([kind.surprise(network, trust).mean() for kind in kinds]).mean().backward()
        optimizer.step()
    return (start * log_trust.exp()).detach()


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
