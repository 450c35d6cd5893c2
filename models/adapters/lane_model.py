"""A model with one encoder a lane: a set's vector is the mean of its members' vectors, its labels are the nearest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.interface import Fusion, Member, Modality, Model, Prepared
from processors.image import load_pixels
from processors.settings import ImageSettings
from processors.text import Tokens, load_text
from syncline.errors import MediaError, SettingsError

Ids = npt.NDArray[np.int64]


def prepare_pixels(data: bytes, content_type: str, settings: ImageSettings) -> Prepared:
    """Load a picture as uint8 (3, size, size). It is normalised later, in batches."""
    pixels = load_pixels(data, content_type, settings)
    return Prepared(pixels, cost=settings.size**2, n_bytes=pixels.nbytes)


class TextTokens:
    """Texts to token ids by a `tokenizer.json`."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._tokens = Tokens(path, max_tokens)

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """Text as int32 (n_tokens,)."""
        return self.of(load_text(data, content_type))

    def of(self, text: str) -> Prepared:
        """The same for a decoded text."""
        tokens = self._tokens(text)
        return Prepared(tokens, len(tokens), tokens.nbytes)


def side_by_side(
    tokens: Sequence[npt.NDArray[np.int32]], pad: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Token ids padded to the longest: int64 ids and mask, (n, n_tokens) each."""
    longest = max(len(ids) for ids in tokens)
    ids = np.full((len(tokens), longest), pad, np.int64)
    mask = np.zeros_like(ids)
    for row, one in enumerate(tokens):
        ids[row, : len(one)], mask[row, : len(one)] = one, 1
    return ids, mask


N_LABELS = 5
DEFAULT_SCALE = 20.0
"""The scale of cosines before the softmax, for models without their own."""
Vectors = npt.NDArray[np.float32]


class Encoded(NamedTuple):
    """What an encoder makes of a batch: embeddings (n, d), label scores before the softmax (n, n_labels), or both."""

    embeddings: Vectors | None = None
    scores: Vectors | None = None


class LaneEncoder(ABC):
    """Encodes one modality.

    Attributes:
        space (str): vectors of encoders with the same space can be compared. Default `shared`.
        width (int): dimensions of the embeddings; 0 for none. Default 0.
    """

    space = "shared"
    width = 0

    @abstractmethod
    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """Media bytes to what `encode` wants; called on several threads at once; raises `MediaError`."""

    @abstractmethod
    def encode(self, values: Sequence[Any]) -> Encoded:
        """A batch of prepared values."""

    def encode_labels(self, texts: Sequence[str]) -> Vectors | None:  # noqa: ARG002
        """Vectors (n, d) of texts in this encoder's space; None for encoders of anything but text."""
        return None


class LaneModel(Model):
    """Encodes each lane by itself. Within a space, the set's vector is the mean of the lanes' normalised means.

    Args:
        name (str): the model's name in results.
        version (str): its version in results.
        lanes (Mapping[Modality, LaneEncoder]): modality to encoder.
        labels (Sequence[str]): scored by the softmax of cosines with their vectors (the text encoder's, of `prompt`),
            and by the log-probabilities of encoders that score labels themselves.
        prompt (str): the text of a label, with {} in the place of the label. Default `{}`.
        scale (float): of the cosines; 0: `DEFAULT_SCALE`. Default 0.0.

    Raises:
        SettingsError: labels do not fit.
    """

    def __init__(
        self,
        name: str,
        version: str,
        lanes: Mapping[Modality, LaneEncoder],
        labels: Sequence[str] = (),
        prompt: str = "{}",
        scale: float = 0.0,
    ) -> None:
        self.name, self.version, self._lanes = name, version, dict(lanes)
        self._prompt, self._scale = prompt, scale or DEFAULT_SCALE
        self._spaces = {encoder.space: encoder.width for encoder in self._lanes.values() if encoder.width}
        self._label_vectors: tuple[str, Vectors] | None = None
        self.labels: list[str] = []
        self.use_labels(labels)

    def use_labels(self, labels: Sequence[str]) -> None:
        """Score these labels from now on."""
        self.labels = list(labels)
        self._label_vectors = None
        for encoder in self._lanes.values():
            if labels and (vectors := encoder.encode_labels([self._prompt.format(one) for one in labels])) is not None:
                self._label_vectors = (encoder.space, normalised(vectors))

    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:  # noqa: ARG002
        """Prepare as the lane's encoder does.

        Raises:
            MediaError: the media cannot be used; `modality_unknown` if the lane has no encoder.
        """
        if modality not in self._lanes:
            raise MediaError("modality_unknown", f"got {modality!r}, takes {', '.join(self._lanes)}")
        return self._lanes[modality].prepare(data, content_type)

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """Answer each set; each lane's members of all sets are one batch."""
        places = [(i, member) for i, one in enumerate(sets) for member in one]
        vectors: list[dict[str, list[Vectors]]] = [{} for _ in sets]
        log_probs: list[list[Vectors]] = [[] for _ in sets]
        for modality, encoder in self._lanes.items():
            mine = [(i, member) for i, member in places if member.modality == modality]
            if not mine:
                continue
            encoded = encoder.encode([member.prepared.value for _, member in mine])
            per_set: dict[int, list[int]] = {}
            for row, (i, _) in enumerate(mine):
                per_set.setdefault(i, []).append(row)
            for i, rows in per_set.items():
                if encoded.embeddings is not None:
                    lane = normalised(normalised(encoded.embeddings[rows]).mean(0))
                    vectors[i].setdefault(encoder.space, []).append(lane)
                if encoded.scores is not None:
                    log_probs[i].append(log_softmax(encoded.scores[rows]).mean(0))
        return [self._answer(one, said) for one, said in zip(vectors, log_probs, strict=True)]

    def _answer(self, vectors: Mapping[str, list[Vectors]], said: list[Vectors]) -> Fusion:
        fused = {space: normalised(np.mean(found, 0)) for space, found in vectors.items()}
        if self._label_vectors is not None and self._label_vectors[0] in fused:
            space, of_labels = self._label_vectors
            said = [*said, log_softmax(self._scale * (of_labels @ fused[space])[None])[0]]
        labels = self._best(log_softmax(np.mean(said, 0)[None])[0]) if said and self.labels else []
        if not fused:
            return Fusion(labels)
        parts = [fused.get(space, np.zeros(width, np.float32)) for space, width in self._spaces.items()]
        return Fusion(labels, normalised(np.concatenate(parts)))

    def _best(self, log_probs: Vectors) -> list[tuple[str, float]]:
        if len(log_probs) != len(self.labels):
            raise SettingsError("labels", len(self.labels), f"{len(log_probs)}, as many as the model scores")
        order = np.argsort(-log_probs, kind="stable")[:N_LABELS]
        return [(self.labels[i], float(np.exp(log_probs[i]))) for i in order]


def normalised(vectors: Vectors) -> Vectors:
    """Normalise each row, or one vector; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)


def log_softmax(scores: Vectors) -> Vectors:
    """Of each row."""
    shifted = scores - scores.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)), np.float32)
