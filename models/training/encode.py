"""The first phase: each branch learns by itself to find the concept."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.reference.encoders import AudioEncoder, n_steps
from models.reference.network import LANES, Branch, ReferenceNetwork
from models.training.contrastive import info_nce
from models.training.data import Spoken, TrainingData, Validation
from models.training.parallel import spread
from models.training.settings import TrainSettings
from models.training.words import pad_tokens

EASY, HARD = 0.3, 0.9
"""How much pictures are changed at the start and at the end: a net that knows nothing learns little from hard ones."""

WORDS_EVERY = 3
"""Every so manieth step of speech hears words that are no labels."""

N_OTHERS = 32
"""How many spellings that nobody says stand beside those of the batch."""


class BranchTask(ABC):
    """The loss of one step of one branch; `last` keeps its parts for the log."""

    def __init__(self, branch: Branch, data: TrainingData, settings: TrainSettings) -> None:
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

    def _match(self, sounds: Tensor, said: Tensor, spoken: Spoken) -> Tensor:
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
