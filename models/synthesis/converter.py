"""The reference converter of kind `speech`: speaks the text of events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence

from models.interface import Converter, Prepared, Speech
from models.synthesis.checkpoint import Voice, open_voice, read_manifest
from models.synthesis.mel import SAMPLE_RATE_HZ, to_sound
from models.synthesis.normalise import to_words
from models.synthesis.pronunciation import PAUSE, to_numbers, to_phones
from processors.text import load_text
from syncline.errors import MediaError

MAX_WORDS = 40
"""A longer piece is cut, at a pause if it has one: the voice has learned sentences of up to 18 words."""

Samples = npt.NDArray[np.float32]
_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])|\n+")


def split_sentences(text: str) -> list[str]:
    """Cut where a sentence ends: at a full stop, question or exclamation mark before a capital, and at line breaks.

    Not after titles (`Dr. Smith`) and single letters (`J. Smith`).

    Example:
        >>> split_sentences("Dr. Smith is in. Who else?")
        ['Dr. Smith is in.', 'Who else?']
    """
    parts: list[str] = []
    for part in _END.split(text):
        if parts and re.search(r"\b(Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|No|[A-Z])\.$", parts[-1]):
            parts[-1] += " " + part
        elif part.strip():
            parts.append(part.strip())
    return parts


def to_pieces(text: str) -> list[list[str]]:
    """The words of each piece that is said in one go."""
    pieces: list[list[str]] = []
    for sentence in split_sentences(text):
        words = to_words(sentence)
        while len(words) > MAX_WORDS:
            pauses = [i for i, word in enumerate(words[:MAX_WORDS]) if word == PAUSE]
            cut = pauses[-1] if pauses else MAX_WORDS
            pieces.append(words[:cut])
            words = words[cut + 1 :] if pauses else words[cut:]
        pieces.append(words)
    return [piece for piece in pieces if piece]


def to_phone_pieces(text: str, voice: Voice) -> list[tuple[str, ...]]:
    """The phones of each piece, with a pause first and last; empty for a text without words."""
    return [tuple(to_phones(piece, voice.lexicon, voice.spelling)) for piece in to_pieces(text)]


def speak(pieces: Sequence[Sequence[str]], voice: Voice) -> list[Samples]:
    """Speak pieces of phones, at least one: float32 (n_samples,) in [-1, 1] at 16 kHz each."""
    phones = [torch.tensor(to_numbers(piece)) for piece in pieces]
    n_phones = torch.tensor([len(piece) for piece in phones])
    mel, n_frames = voice.speech.speak(pad_sequence(phones, batch_first=True), n_phones)
    return [to_sound(one[:n]).numpy() for one, n in zip(mel, n_frames.tolist(), strict=True)]


SHIPPED_DIR = Path(__file__).parent
LANGUAGE = "en"
MAX_S = 60
"""Of one clip."""

MAX_PHONES = MAX_S * 12
"""A second holds a dozen phones."""

BATCH_PHONES = 800
"""Phones, with padding, in one batch: this bounds memory."""

Piece = tuple[str, ...]


class SynthesisConverter(Converter):
    """English text to speech in one voice. `folder` is one that `syncline model train synthesis` wrote.

    Raises SettingsError for a broken folder.
    """

    kind, modality = "speech", "text"

    def __init__(self, folder: Path) -> None:
        manifest = read_manifest(folder)
        self.name, self.version = manifest.name, manifest.version
        self._voice = open_voice(folder, manifest)

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Text to the phones of each of its sentences, `tuple[Piece, ...]`; the cost is how many phones there are.

        Raises MediaError: those of `load_text`; `language_not_spoken` where the text is said not to be English;
        `text_no_words` where nothing in it can be said; `speech_too_long` beyond a minute.
        """
        if language and language.replace("_", "-").split("-")[0].lower() != LANGUAGE:
            raise MediaError("language_not_spoken", f"got language {language[:20]!r}, takes {LANGUAGE}")
        pieces = tuple(to_phone_pieces(load_text(data, content_type), self._voice))
        n_phones = sum(map(len, pieces))
        if not pieces:
            raise MediaError("text_no_words", "got no letter or digit that can be said in English")
        if n_phones > MAX_PHONES:
            raise MediaError("speech_too_long", f"got {n_phones} phones, takes at most {MAX_PHONES}, about {MAX_S} s")
        return Prepared(pieces, n_phones, 8 * n_phones)

    def run(self, items: Sequence[Prepared]) -> list[Speech | MediaError]:
        """Speak each text: float32 (n_samples,) at 16,000 Hz. The sentences of all texts share batches."""
        pieces: list[Piece] = sorted({piece for item in items for piece in item.value}, key=len)
        said: dict[Piece, Samples] = {}
        for chunk in _chunks(pieces):
            said |= zip(chunk, speak(chunk, self._voice), strict=True)
        return [
            Speech(np.concatenate([said[piece] for piece in item.value]), SAMPLE_RATE_HZ, LANGUAGE) for item in items
        ]

    def warm_up(self) -> None:
        """Say a word, so that the first event does not wait for the kernels to be chosen."""
        self.run([self.prepare(b"Hello.", "text/plain", LANGUAGE)])


def open_reference(where: str) -> SynthesisConverter:
    """Open the voice in the folder `where`; "" for the one of the repository."""
    return SynthesisConverter(Path(where) if where else SHIPPED_DIR)


def _chunks(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Pieces, shortest first, in parts that hold `BATCH_PHONES` with their padding, or one longer piece."""
    chunk: list[Piece] = []
    for piece in pieces:
        if chunk and len(piece) * (len(chunk) + 1) > BATCH_PHONES:
            yield chunk
            chunk = []
        chunk.append(piece)
    if chunk:
        yield chunk
