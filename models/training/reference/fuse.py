"""The second phase: on top of the finished encoders, the fusion learns to name concepts and to embed their media."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.reference.network import LANES, Evidence, ReferenceNetwork
from models.training.parallel import spread
from models.training.reference.calibrate import SUBSETS, Lanes
from models.training.reference.data import TrainingData
from models.training.reference.encode import info_nce
from models.training.reference.sources import pad_tokens
from models.training.settings import ReferenceSettings

EXTRA_BATCHES, EXTRA_SHARE = 0.3, 0.5
"""The share of batches in which sets have a second member of one lane, as windows do; and the share of their sets."""

HARD = 1.3
"""How much more the media are changed than for the encoders, which know what they learned from."""

N_NEAR = 8
"""Half of a batch are neighbours of the other half: one of so many nearest each."""

TEMPERATURE = 0.05
"""Of the contrast between embeddings."""

TEXT_DRAWS = 3
"""Texts are drawn so many times as often as pictures and speech: tags and labels in two languages are many."""

SINGLES = [lanes for lanes in SUBSETS if sum(lanes) == 1]


class FusionTask:
    """The loss of one step: two views of each concept, of any lanes; the encoders are finished.

    Each view is named (cross entropy), and finds the other among those of all concepts of the batch (contrast), half
    of which are close neighbours; lanes are left out by chance, the second view is always a single lane. Words that
    no concept has are heard in one view and read in the other.

    pair: a specialist's lanes, the only ones that it is given, in both views.

    The media are changed and encoded once, `fusion_draws` of each concept and modality; each step then picks a draw
    for each lane. Encoding again at each step would take nearly all the time.
    """

    def __init__(
        self,
        network: ReferenceNetwork,
        data: TrainingData,
        settings: ReferenceSettings,
        pair: Lanes | None = None,
    ) -> None:
        self._network, self._settings = network, settings
        self._views = (SUBSETS, SINGLES) if pair is None else ([pair], [pair])
        self._dice = torch.Generator().manual_seed(settings.seed + 1)
        self._features = encode_draws(network, data, settings.fusion_draws)
        self._words = encode_words(network, data)  # [2, n_words, n_draws, 2, n_state]
        self._near = neighbours(network)  # [n_concepts, N_NEAR]
        self.last: dict[str, float] = {}

    def loss(self, spent: float) -> Tensor:  # noqa: ARG002  (as hard at the start as at the end)
        """Cross entropy of what the fusion says of both views, and their contrast."""
        self._network.eval()  # the encoders as they will be used
        self._network.fusion.train()
        half = torch.randint(len(self._near), (self._settings.fusion_batch // 2,), generator=self._dice)
        concept = torch.cat([half, self._near[half, self._pick(self._near.shape[1], len(half))]])
        named = [self._answer(self._view(concept, subsets)) for subsets in self._views]
        concept = concept.to(named[0][0].device)
        found = torch.stack([F.nll_loss(scores, concept) for scores, _ in named]).mean()
        alike = info_nce(named[0][1], named[1][1], TEMPERATURE, concept=concept, gathered=True)
        words = self._contrast_words(self._pick(self._words.shape[1], self._settings.fusion_batch // 2))
        self.last = {"fusion": float(found.detach()), "alike": float(alike.detach()), "words": float(words.detach())}
        return found + self._settings.contrast_weight * (alike + words)

    def _answer(self, evidence: Evidence) -> tuple[Tensor, Tensor]:
        """Scores and embedding of sets that the processes share among them."""

        def fuse(*parts: Tensor) -> Tensor:
            return torch.cat(self._network.fuse(Evidence(*parts)), 1)

        both = spread(fuse, evidence.features, evidence.modality, evidence.there)
        return both.split([len(self._near), both.shape[1] - len(self._near)], 1)  # pyright: ignore[reportReturnType]

    def _view(self, concept: Tensor, subsets: list[Lanes]) -> Evidence:
        """Sets of drawn media, (n, 1 to 4, 2, n_state): a place a lane, or one where each set has one lane only."""
        n = len(concept)
        there = torch.tensor(subsets)[self._pick(len(subsets), n)]
        drawn = torch.stack([of[concept[:, None], self._picks(of.shape[1], n, 2)] for of in self._features])
        features, others = (one.transpose(0, 1) for one in drawn.unbind(2))  # [n, 3, 2, n_state] each
        modality = torch.arange(len(LANES)).expand(n, -1)
        extra = self._pick(len(LANES), n)[:, None]  # the lane that may have a second member
        if subsets is SINGLES:
            modality = extra = there.int().argmax(1, keepdim=True)
            features, there = _at(features, modality), there.gather(1, modality)
        if torch.rand((), generator=self._dice) < EXTRA_BATCHES:
            wanted = torch.rand((n, 1), generator=self._dice) < EXTRA_SHARE
            has_lane = ((modality == extra) & there).any(1, keepdim=True)
            features = torch.cat([features, _at(others, extra)], 1)
            modality, there = torch.cat([modality, extra], 1), torch.cat([there, has_lane & wanted], 1)
        return Evidence(F.dropout(features, 0.1), modality, there)

    def _contrast_words(self, word: Tensor) -> Tensor:
        views: list[Tensor] = []
        for lane, of in zip(("audio", "text"), self._words, strict=True):
            features = of[word, self._pick(of.shape[1], len(word))][:, None]  # [n, 1, 2, n_state]
            modality = torch.full((len(word), 1), LANES.index(lane))
            words = Evidence(F.dropout(features, 0.1), modality, torch.ones_like(modality) > 0)
            views.append(self._answer(words)[1])
        return info_nce(views[0], views[1], TEMPERATURE, concept=word, gathered=True)

    def _pick(self, n_of: int, n: int) -> Tensor:
        return torch.randint(n_of, (n,), generator=self._dice)

    def _picks(self, n_of: int, n: int, n_each: int) -> Tensor:
        return torch.randint(n_of, (n, n_each), generator=self._dice)


def _at(features: Tensor, lane: Tensor) -> Tensor:
    """Of features (n, 3, 2, n_state) those of one lane each (n, 1): (n, 1, 2, n_state)."""
    return features.gather(1, lane[:, :, None, None].expand(-1, -1, *features.shape[2:]))


@torch.no_grad()
def encode_draws(network: ReferenceNetwork, data: TrainingData, n_draws: int) -> list[Tensor]:
    """Features of changed media of every concept: for each lane (n_concepts, n_draws of the lane, 2, n_state)."""
    network.eval()
    made: list[list[Tensor]] = [[], [], []]
    for concept in torch.arange(len(data.concepts)).split(64):
        pictures = [data.pictures.draw(concept, HARD) for _ in range(n_draws)]
        made[0].append(torch.stack([
            network.encode("image", one.contiguous(memory_format=torch.channels_last)) for one in pictures
        ], 1))  # fmt: skip
        texts = [data.texts.draw(concept) for _ in range(n_draws * TEXT_DRAWS)]
        made[1].append(torch.stack([network.encode("text", one) for one in texts], 1))
        clips = [data.labels.source.draw(concept, HARD) for _ in range(n_draws)]
        made[2].append(torch.stack([network.encode("audio", *one) for one in clips], 1))
    return [torch.cat(of_lane) for of_lane in made]


@torch.no_grad()
def encode_words(network: ReferenceNetwork, data: TrainingData, n_draws: int = 2) -> Tensor:
    """Features of other words, changed speech and then spelling: (2, n_words, n_draws, 2, n_state)."""
    heard: list[Tensor] = []
    read: list[Tensor] = []
    for word in torch.arange(len(data.words.spelled)).split(64):
        clips = [data.words.source.draw(word) for _ in range(n_draws)]
        heard.append(torch.stack([network.encode("audio", *one) for one in clips], 1))
        read.append(network.encode("text", pad_tokens([data.words.spelled[n] for n in word.tolist()])))
    return torch.stack([torch.cat(heard), torch.cat(read)[:, None].expand(-1, n_draws, -1, -1)])


@torch.no_grad()
def neighbours(network: ReferenceNetwork) -> Tensor:
    """The concepts that the branches find most alike, for each: (n_concepts, N_NEAR), itself not among them."""
    tables = [F.normalize(network.branches[lane].table.directions, dim=-1) for lane in LANES]  # pyright: ignore
    alike = torch.stack([table @ table.T for table in tables]).mean(0).fill_diagonal_(-2)
    return alike.topk(min(N_NEAR, len(alike) - 1)).indices
