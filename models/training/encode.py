"""The first phase: each branch learns by itself to find the concept."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.reference.encoders import AudioEncoder, n_steps
from models.reference.network import LANES, Branch, ReferenceNetwork
from models.training.data import TrainingData, Validation
from models.training.parallel import spread
from models.training.settings import TrainSettings

EASY, HARD = 0.3, 0.9
"""How much pictures are changed at the start and at the end: a net that knows nothing learns little from hard ones."""


class BranchTask(ABC):
    """The loss of one step of one branch; `last` keeps its parts for the log."""

    def __init__(self, branch: Branch, data: TrainingData, settings: TrainSettings) -> None:
        self._branch, self._data, self._settings = branch, data, settings
        self._dice = torch.Generator().manual_seed(settings.seed)
        self.last: dict[str, float] = {}

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
        with_text = torch.nonzero(self._data.texts.has_text)[:, 0]
        concept = with_text[torch.randint(len(with_text), (self._settings.text_batch,), generator=self._dice)]
        loss = self._find(spread(self._branch.encoder, self._data.texts.draw(concept)), concept, 0.0)
        self.last = {"text": float(loss.detach())}
        return loss


class AudioTask(BranchTask):
    """Which concept is named, and (CTC) which phones in which order: that makes other speakers understood."""

    def loss(self, spent: float) -> Tensor:  # noqa: ARG002  (as hard at the start as at the end)
        """Cross entropy and CTC."""
        encoder = self._branch.encoder
        assert isinstance(encoder, AudioEncoder)  # noqa: S101  # nosec B101  # for the type checker
        concept, log_mel, n_frames = self._data.speech.draw_alike(self._settings.audio_batch)
        steps = spread(encoder.steps, log_mel, n_frames)  # [B, n_channels, n_frames / 4]
        phones = [torch.tensor(self._data.phones[c]) for c in concept.tolist()]
        ctc = F.ctc_loss(
            encoder.phones(steps).permute(2, 0, 1).log_softmax(-1),  # [n_steps, B, 1 + n_phones]
            torch.cat(phones).to(steps.device),
            n_steps(n_frames),
            torch.tensor([len(p) for p in phones]),
            zero_infinity=True,
        )
        loss = self._find(encoder.pool(steps, n_frames.to(steps.device)), concept, self._settings.label_smoothing)
        self.last = {"audio": float(loss.detach()), "phones": float(ctc.detach())}
        return loss + self._settings.ctc_weight * ctc


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
    return torch.cat([branch.encoder(*(part[at : at + 64] for part in media)) for at in range(0, len(media[0]), 64)])


@torch.no_grad()
def accuracy_alone(branch: Branch, lane: str, validation: Validation) -> float:
    """Top-1 of all concepts for one modality alone; of text over the concepts that have one."""
    right = branch.table(encode_validation(branch, lane, validation)).argmax(-1) == torch.arange(len(validation.pixels))
    return float((right[validation.has_text] if lane == "text" else right).float().mean())


def validation_features(network: ReferenceNetwork, validation: Validation) -> Tensor:
    """Features of the validation set: (3, n_concepts, n_state), in the order of `LANES`."""
    return torch.stack([encode_validation(network.branches[lane], lane, validation) for lane in LANES])  # pyright: ignore[reportArgumentType]
