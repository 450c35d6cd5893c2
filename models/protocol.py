"""What the service asks of a model: prepare on the decode threads, run on the model's own thread.

The service knows nothing else of a model, so an adapter is a class of these few methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Modality = str
"""`image`, `text` or `audio`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One event's media, ready for the model.

    value: whatever `run` wants, e.g. uint8 (3, H, W), float32 (n_mels, n_frames), int32 (n_tokens,).
    cost: what the batcher's budget counts (pixels, audio milliseconds, tokens).
    n_bytes: how much memory `value` holds.
    words: for text, the words with their part-of-speech tag ("" where none is known).
    """

    value: Any
    cost: int = 1
    n_bytes: int = 0
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a set: its lane, modality and prepared media."""

    lane: str
    modality: Modality
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Conversion:
    """What one member says in another form: `kind` names it (`caption`, `transcript`), `score` is in [0, 1]."""

    member: int
    kind: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Fusion:
    """A model's answer to one set: labels with scores, best first; float32 (n_embedding,); conversions."""

    labels: list[tuple[str, float]] = field(default_factory=list)
    embedding: np.ndarray[Any, Any] | None = None
    conversions: list[Conversion] = field(default_factory=list)


class Model(ABC):
    """A model that fuses sets. `name` and `version` stand in every result."""

    name: str
    version: str

    @abstractmethod
    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Media bytes to what `run` wants; called on several threads at once; raises `MediaError`."""

    @abstractmethod
    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """Answer each set, in order; called on one thread at a time. Any lane may be missing from any set."""

    def warm_up(self) -> None:  # noqa: B027  (a model may do without)
        """Called once on the model's thread before the worker is ready."""
