"""The first phase: each branch learns by itself to find the concept."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.reference.encoders import AudioEncoder, n_steps
from models.reference.network import LANES, Branch, ReferenceNetwork
from models.training.parallel import gather, spread
from models.training.reference.data import SpokenClips, TrainingData, Validation
from models.training.reference.sources import pad_tokens
from models.training.settings import ReferenceSettings


def info_nce(
    a: Tensor,
    b: Tensor,
    temperature: float | Tensor = 0.07,
    *,
    concept: Tensor | None = None,
    hard: float = 0.0,
    gathered: bool = False,
) -> Tensor:
    """InfoNCE loss in both directions, mean over rows, a scalar.

    Source: van den Oord et al. 2018 (arXiv 1807.03748), both ways as in CLIP (arXiv 2103.00020); hard negatives by
    importance weights as in Robinson et al. 2021 (arXiv 2010.04592).

    Args:
        a (Tensor): (n, n_state). Rows are normalised here.
        b (Tensor): (n + n_others, n_state). Row i belongs to row i of `a`; further rows are wrong for all of `a`.
        temperature (float | Tensor): divides the cosines. Default 0.07.
        concept (Tensor | None): rows of one concept are no negatives of each other.
        hard (float): a negative's weight is exp(hard * its logit), scaled to a mean of 1; 0: all weigh the same.
            Default 0.0.
        gathered (bool): whether these are the rows of all processes, as `spread` gives them; else they are gathered
            here. Default False.
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


EASY, HARD = 0.3, 0.9
"""How much pictures are changed at the start and at the end: an untrained net learns little from hard ones."""

WORDS_EVERY = 3
"""One step of speech in so many hears words that are no labels."""

N_OTHERS = 32
"""How many unspoken spellings are added to those of the batch."""


class BranchTask(ABC):
    """The loss of one step of one branch; `last` keeps its parts for the log."""

    def __init__(self, branch: Branch, data: TrainingData, settings: ReferenceSettings) -> None:
        self._branch, self._data, self._settings = branch, data, settings
        self._dice = torch.Generator().manual_seed(settings.seed)
        self.last: dict[str, float] = {}
        self._n_steps = 0

    @abstractmethod
    def loss(self, spent: float) -> Tensor:
        """The loss over freshly drawn media; `spent` of the budget, 0 to 1, is gone."""

    def _find(self, features: Tensor, concept: Tensor, smoothing: float) -> Tensor:
        return F.cross_entropy(self._branch.table(features), concept.to(features.device), label_smoothing=smoothing)


class ImageTask(BranchTask):
    """Which concept a picture shows."""

    def loss(self, spent: float) -> Tensor:
        """Cross entropy."""
        concept = torch.randint(len(self._data.concepts), (self._settings.image_batch,), generator=self._dice)
        pixels = self._data.pictures.draw(concept, EASY + (HARD - EASY) * spent).contiguous(
            memory_format=torch.channels_last
        )
        loss = self._find(spread(self._branch.encoder, pixels), concept, self._settings.label_smoothing)
        self.last = {"image": float(loss.detach())}
        return loss


class TextTask(BranchTask):
    """Which concept a text may be about: no smoothing, several are right anyway."""

    def loss(self, spent: float) -> Tensor:  # noqa: ARG002  (as hard at the start as at the end)
        """Cross entropy."""
        concept = torch.randint(len(self._data.concepts), (self._settings.text_batch,), generator=self._dice)
        loss = self._find(spread(self._branch.encoder, self._data.texts.draw(concept)), concept, 0.0)
        self.last = {"text": float(loss.detach())}
        return loss


class AudioTask(BranchTask):
    """Which concept is named, which phones are said in which order (CTC), and how that is spelled (contrastive).

    Two steps of three hear labels, the third hears other words: so that words that were never heard are known by
    their sound, and other speakers understood.
    """

    def loss(self, spent: float) -> Tensor:  # noqa: ARG002  (as hard at the start as at the end)
        """Cross entropy, CTC, and how well sounds find their spelling."""
        encoder = self._branch.encoder
        assert isinstance(encoder, AudioEncoder)  # noqa: S101  # nosec B101  # for the type checker
        self._n_steps += 1
        spoken = self._data.words if self._n_steps % WORDS_EVERY == 0 else self._data.labels
        said, log_mel, n_frames = spoken.source.draw_alike(self._settings.audio_batch)
        steps = spread(encoder.steps, log_mel, n_frames)  # [B, n_channels, n_frames / 4]
        n_frames, said = n_frames.to(steps.device), said.to(steps.device)
        ctc = self._ctc(encoder.phones(steps), n_frames, [spoken.phones[n] for n in said.tolist()])
        match = self._match(encoder.listen(steps, n_frames), said, spoken)
        self.last |= {"phones": float(ctc.detach()), "spelling": float(match.detach())}
        loss = self._settings.ctc_weight * ctc + self._settings.spelling_weight * match
        if spoken is self._data.labels:
            found = self._find(encoder.pool(steps, n_frames), said, self._settings.label_smoothing)
            self.last["audio"] = float(found.detach())
            loss = loss + found
        return loss

    def _ctc(self, logits: Tensor, n_frames: Tensor, phones: list[list[int]]) -> Tensor:
        return F.ctc_loss(
            logits.permute(2, 0, 1).log_softmax(-1),  # [n_steps, B, 1 + n_phones]
            torch.tensor([phone for row in phones for phone in row]).to(logits.device),
            n_steps(n_frames),
            torch.tensor([len(row) for row in phones]),
            zero_infinity=True,
        )

    def _match(self, sounds: Tensor, said: Tensor, spoken: SpokenClips) -> Tensor:
        """Each clip finds its own spelling among the batch's and some others', and each spelling its clip."""
        every = [*self._data.labels.spelled, *self._data.words.spelled]
        others = torch.randint(len(every), (N_OTHERS,), generator=self._dice)
        mine = (said if spoken is self._data.labels else said + len(self._data.labels.spelled)).cpu()
        rows = torch.cat([mine, others[~torch.isin(others, mine)]])
        spelled = self._branch.speller(pad_tokens([every[n] for n in rows.tolist()]).to(sounds.device))
        return info_nce(
            sounds, spelled, 1 / self._branch.match.sharpness, concept=mine.to(sounds.device), gathered=True
        )


TASKS: dict[str, type[BranchTask]] = {"image": ImageTask, "text": TextTask, "audio": AudioTask}


@torch.no_grad()
def encode_validation(branch: Branch, lane: str, validation: Validation) -> Tensor:
    """Features (n_concepts, n_state) of one modality of the validation set."""
    branch.eval()
    media = {
        "image": (validation.pixels,),
        "text": (validation.tokens,),
        "audio": (validation.log_mel, validation.n_frames),
    }[lane]
    chunks = [branch.encoder(*(part[at : at + 64] for part in media)) for at in range(0, len(media[0]), 64)]
    return torch.cat([chunk[0] if lane == "audio" else chunk for chunk in chunks])


@torch.no_grad()
def accuracy_alone(branch: Branch, lane: str, validation: Validation) -> float:
    """Top-1 of all concepts for one modality alone; of text over the concepts that have one."""
    right = branch.table(encode_validation(branch, lane, validation)).argmax(-1) == torch.arange(len(validation.pixels))
    return float((right[validation.has_text] if lane == "text" else right).float().mean())


@torch.no_grad()
def validation_features(network: ReferenceNetwork, validation: Validation) -> Tensor:
    """Features of the validation set: (3, n_concepts, 2, n_state), in the order of `LANES`."""
    network.eval()
    media = ((validation.pixels,), (validation.tokens,), (validation.log_mel, validation.n_frames))
    return torch.stack([
        torch.cat([network.encode(lane, *(part[at : at + 64] for part in parts)) for at in range(0, len(parts[0]), 64)])
        for lane, parts in zip(LANES, media, strict=True)
    ])  # fmt: skip
