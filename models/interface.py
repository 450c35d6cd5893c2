"""What the service asks of a model: prepare on the decode threads, run on the model's own thread.

The service knows nothing else of a model, so an adapter is a class of these few methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from syncline.errors import MediaError

Modality = str
"""`image`, `text` or `audio`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One event's media, ready for the model.

    value: whatever `run` wants, e.g. uint8 (3, H, W), float32 (n_mels, n_frames), int32 (n_tokens,).
    cost: what the batcher's budget counts (pixels, audio milliseconds, tokens).
    n_bytes: how much memory `value` holds; it counts against `max_held_bytes`.
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
    """A model that fuses sets. `name` and `version` stand in every result; `device`: where it runs, "" if not known."""

    name: str
    version: str
    device: str = ""

    @abstractmethod
    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Media bytes to what `run` wants; called on several threads at once; raises `MediaError`."""

    @abstractmethod
    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """Answer each set, in order; called on one thread at a time. Any lane may be missing from any set."""

    def warm_up(self) -> None:  # noqa: B027  (a model may do without)
        """Called once on the model's thread before the worker is ready."""


class TimedWord(NamedTuple):
    """A word of a transcript and when it is said, in milliseconds from the start of the clip; `score` in [0, 1]."""

    text: str
    start_ms: int
    end_ms: int
    score: float


@dataclass(frozen=True, slots=True)
class Text:
    """What an event says, as text: `score` in [0, 1], the `language` (BCP 47, "" if not known), words with times."""

    text: str
    score: float
    language: str = ""
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True, slots=True)
class Speech:
    """What an event says, as sound: float32 (n_samples,) in [-1, 1] at `sample_rate_hz`."""

    samples: np.ndarray[Any, Any]
    sample_rate_hz: int
    language: str = ""


ConverterKind = Literal["caption", "transcript", "speech"]
"""What a converter makes: a picture's caption, speech's transcript, a text's speech."""


class Converter(ABC):
    """A model that turns one event into another form. `name` and `version` stand in every conversion.

    modality: of the events that it takes. kind: what it makes of them; `transcript` and `caption` are `Text`, `speech`
    is `Speech`.
    """

    name: str
    version: str
    kind: ConverterKind
    modality: Modality

    @abstractmethod
    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Media bytes to what `run` wants; called on several threads at once; raises `MediaError`."""

    @abstractmethod
    def run(self, items: Sequence[Prepared]) -> Sequence[Text | Speech | MediaError]:
        """Convert each item, in order; called on one thread at a time.

        A `MediaError` in place of an answer says why that one item has none; one that is raised fails the batch, which
        is halved until the item that cannot be answered stands alone.
        """

    def warm_up(self) -> None:  # noqa: B027  (a converter may do without)
        """Called once on the converter's thread before the worker is ready."""
