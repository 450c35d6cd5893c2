"""The second phase: the fusion learns on top of the encoders; then validation says how far to trust each part."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.reference.network import LANES, Evidence, ReferenceNetwork
from models.training.data import TrainingData
from models.training.parallel import spread
from models.training.settings import TrainSettings

SUBSETS = [[bool(n >> lane & 1) for lane in range(3)] for n in range(1, 8)]
"""Each way in which at least one of the three lanes is there."""

EXTRA_SHARE = 0.15
"""How often a set holds a second member of one lane, as windows do."""

CALIBRATION_STEPS = 150
HARD = 1.3
"""How much more than for the encoders the media are changed: those they learned from would be too easy for them."""


class FusionTask:
    """The loss of one step: sets of members in any combination, lanes left out by chance; the encoders are finished.

    The media are changed and encoded once, `fusion_draws` of each concept and modality; each step then picks a draw
    for each lane. Encoding anew at each step would take nearly all the time.
    """

    def __init__(self, network: ReferenceNetwork, data: TrainingData, settings: TrainSettings) -> None:
        self._network, self._settings = network, settings
        self._has_text = data.texts.has_text
        self._dice = torch.Generator().manual_seed(settings.seed + 1)
        self._features = encode_draws(network, data, settings.fusion_draws)  # [3, n_concepts, n_draws, n_state]
        self.last = 0.0

    def loss(self, spent: float) -> Tensor:  # noqa: ARG002  (as hard at the start as at the end)
        """Cross entropy of what the fusion says."""
        self._network.eval()  # the encoders as they will be used
        self._network.fusion.train()
        concept = torch.randint(len(self._has_text), (self._settings.fusion_batch,), generator=self._dice)
        evidence = self._evidence(concept)
        log_probabilities = spread(self._answer, evidence.features, evidence.modality, evidence.there)
        loss = F.nll_loss(log_probabilities, concept.to(log_probabilities.device))
        self.last = float(loss.detach())
        return loss

    def _answer(self, features: Tensor, modality: Tensor, there: Tensor) -> Tensor:
        return self._network.fuse(Evidence(features, modality, there))[0]

    def _evidence(self, concept: Tensor) -> Evidence:
        n = len(concept)
        there = torch.tensor(SUBSETS)[torch.randint(len(SUBSETS), (n,), generator=self._dice)]
        there[:, 1] &= self._has_text[concept]
        extra = torch.randint(len(LANES), (n, 1), generator=self._dice)  # the lane that may have a second member
        wanted = torch.rand((n, 1), generator=self._dice) < EXTRA_SHARE
        modality = torch.cat([torch.arange(len(LANES)).expand(n, -1), extra], 1)  # [n, 4]
        draw = torch.randint(self._features.shape[2], modality.shape, generator=self._dice)
        features = F.dropout(self._features[modality, concept[:, None], draw], 0.1)  # [n, 4, n_state]
        return Evidence(features, modality, torch.cat([there, there.gather(1, extra) & wanted], 1))


@torch.no_grad()
def encode_draws(network: ReferenceNetwork, data: TrainingData, n_draws: int) -> Tensor:
    """Features of changed media of every concept: (3, n_concepts, n_draws, n_state); 0 for texts that are not there."""
    network.eval()
    n_concepts, n_state = network.shared.directions.shape
    out = torch.zeros(len(LANES), n_concepts, n_draws, n_state)
    for draw in range(n_draws):
        for concept in torch.arange(n_concepts).split(64):
            pixels = data.pictures.draw(concept, HARD).contiguous(memory_format=torch.channels_last)
            out[LANES.index("image"), concept, draw] = network.encode("image", pixels)
            out[LANES.index("audio"), concept, draw] = network.encode("audio", *data.speech.draw(concept, HARD))
            written = concept[data.texts.has_text[concept]]
            if len(written):
                out[LANES.index("text"), written, draw] = network.encode("text", data.texts.draw(written))
    return out


def subset_evidence(features: Tensor, has_text: Tensor, lanes: list[bool]) -> tuple[Evidence, Tensor]:
    """Sets of only `lanes` from features (3, n, n_state), and which concepts (n,) can be in them: text may lack."""
    can = has_text if lanes[1] else torch.ones_like(has_text)
    picked = features[torch.tensor(lanes)][:, can].transpose(0, 1)  # [n_can, n_lanes, n_state]
    modality = torch.nonzero(torch.tensor(lanes))[:, 0].expand(len(picked), -1)
    return Evidence(picked, modality, torch.ones(modality.shape, dtype=torch.bool)), torch.nonzero(can)[:, 0]


def calibrate(
    network: ReferenceNetwork, features: Tensor, has_text: Tensor, parts: slice, *, with_fusion: bool = True
) -> None:
    """Set `network.trust[parts]` so that validation's sets of every kind are least surprised (features (3, n, d)).

    Without the fusion only the branches count: the base that the Transformer then learns to add to.
    """
    before = network.trust.clone()
    log_trust = torch.zeros_like(before).requires_grad_()
    optimizer = torch.optim.Adam([log_trust], lr=0.05)
    kinds = [subset_evidence(features, has_text, lanes) for lanes in SUBSETS]
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
