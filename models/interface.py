"""What a model and a converter must offer: `prepare` on the decode threads, `run` on the model's own thread.

The service knows nothing else of a model. An adapter is a class with these few methods.
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

    Attributes:
        value (Any): what `run` takes, such as uint8 (3, H, W), float32 (n_mels, n_frames) or int32 (n_tokens,).
        cost (int): what the batcher counts against `max_cost`: pixels, milliseconds of sound, tokens. Default 1.
        n_bytes (int): the memory of `value`; it counts against `max_held_bytes`, bytes. Default 0.
        words (tuple[tuple[str, str], ...]): of a text, each word and its part-of-speech tag, "" where unknown. Default:
            none.
    """

    value: Any
    cost: int = 1
    n_bytes: int = 0
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a set.

    Attributes:
        lane (str): the source of the stream that it came from.
        modality (Modality): `image`, `text` or `audio`.
        prepared (Prepared): what the model's `prepare` made of it.
    """

    lane: str
    modality: Modality
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Conversion:
    """What one member says in another form.

    Attributes:
        member (int): its place in the set.
        kind (str): `caption` or `transcript`.
        text (str): what it says.
        score (float): 0 to 1.
    """

    member: int
    kind: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Fusion:
    """A model's answer to one set.

    Attributes:
        labels (list[tuple[str, float]]): label and score, best first. Default: none.
        embedding (float32 (n_embedding,) or None): the set as a vector. Default: none.
        conversions (list[Conversion]): what its members say in other forms. Default: none.
    """

    labels: list[tuple[str, float]] = field(default_factory=list)
    embedding: np.ndarray[Any, Any] | None = None
    conversions: list[Conversion] = field(default_factory=list)


class Model(ABC):
    """A model that fuses sets. Derive from it to bring your own (docs/models.md).

    Attributes:
        name (str): the model's name in results.
        version (str): its version in results.
        device (str): where it runs; "" if unknown.

    Example:
        >>> class Longest(Model):
        ...     name, version = "longest", "1"
        ...
        ...     def prepare(self, modality, data, content_type, language):
        ...         return Prepared(data.decode(), cost=len(data))
        ...
        ...     def run(self, sets):
        ...         return [Fusion([(max((m.prepared.value for m in members), key=len), 1.0)]) for members in sets]
        >>> model = Longest()
        >>> texts = [model.prepare("text", text, "text/plain", "en") for text in (b"a cat", b"a large dog")]
        >>> model.run([[Member("text", "text", one) for one in texts]])[0].labels
        [('a large dog', 1.0)]
    """

    name: str
    version: str
    device: str = ""

    @abstractmethod
    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Make of media bytes what `run` takes. Called on several threads at once.

        Args:
            modality (Modality): `image`, `text` or `audio`.
            data (bytes): the file.
            content_type (str): as the producer declared it.
            language (str | None): BCP 47.

        Raises:
            MediaError: the media cannot be used: the event becomes a dead letter.
        """

    @abstractmethod
    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """Answer each set, in order. Called on one thread.

        Args:
            sets (Sequence[Sequence[Member]]): any lane may be missing from a set, or have several members.
        """

    def warm_up(self) -> None:  # noqa: B027  (a model may do without)
        """Prepare for the first set. Called once, on the model's thread, before the worker is ready."""


class TimedWord(NamedTuple):
    """A word of a transcript.

    Attributes:
        text (str): the word.
        start_ms (int): when it begins, ms from the start of the clip.
        end_ms (int): when it ends, ms from the start of the clip.
        score (float): 0 to 1.
    """

    text: str
    start_ms: int
    end_ms: int
    score: float


@dataclass(frozen=True, slots=True)
class Text:
    """What an event says, as text.

    Attributes:
        text (str): a transcript or a caption.
        score (float): 0 to 1.
        language (str): BCP 47, "" where unknown.
        words (tuple[TimedWord, ...]): the words with their times. Default: none.
    """

    text: str
    score: float
    language: str = ""
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True, slots=True)
class Speech:
    """What an event says, as sound.

    Attributes:
        samples (float32 (n_samples,)): -1 to 1.
        sample_rate_hz (int): sample rate, Hz.
        language (str): BCP 47, "" where unknown.
    """

    samples: np.ndarray[Any, Any]
    sample_rate_hz: int
    language: str = ""


ConverterKind = Literal["caption", "transcript", "speech"]
"""What a converter makes: a picture's caption, speech's transcript, a text's speech."""


class Converter(ABC):
    """A model that turns one event into another form. Derive from it to bring your own (docs/conversions.md).

    Attributes:
        name (str): the converter's name in conversions.
        version (str): its version in conversions.
        modality (Modality): the modality that it converts.
        kind (ConverterKind): what it makes of them: `transcript` and `caption` are `Text`, `speech` is `Speech`.
    """

    name: str
    version: str
    kind: ConverterKind
    modality: Modality

    @abstractmethod
    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Make of media bytes what `run` takes. Called on several threads at once.

        Args:
            data (bytes): the file.
            content_type (str): as the producer declared it.
            language (str | None): BCP 47.

        Raises:
            MediaError: the media cannot be used.
        """

    @abstractmethod
    def run(self, items: Sequence[Prepared]) -> Sequence[Text | Speech | MediaError]:
        """Convert each item, in order. Called on one thread.

        A `MediaError` in place of an answer says why this item has none. A raised error fails the batch: it is halved
        until the item that fails is alone.
        """

    def warm_up(self) -> None:  # noqa: B027  (a converter may do without)
        """Prepare for the first item. Called once, on the converter's thread, before the worker is ready."""
