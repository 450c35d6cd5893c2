"""Speaks the text of events: the reference converter of kind `speech`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from models.interface import Converter, Prepared, Speech
from models.synthesis.checkpoint import open_voice, read_manifest
from models.synthesis.mel import SAMPLE_RATE_HZ
from models.synthesis.synthesiser import Samples, speak, to_phone_pieces
from processors.text import load_text
from syncline.errors import MediaError

SHIPPED_DIR = Path(__file__).parent
LANGUAGE = "en"
MAX_S = 60
"""Of one clip."""

MAX_PHONES = MAX_S * 12
"""A second holds a dozen phones."""

BATCH_PHONES = 800
"""How many phones, with padding, go through the network at once: the rest waits, so that memory is bounded."""

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
    """The voice in the folder `where`; "" is the one that comes with the repository."""
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
