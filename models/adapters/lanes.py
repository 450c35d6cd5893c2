"""What encoders of pictures and texts have in common: media to arrays, and arrays of a batch side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.interface import Prepared
from processors.image import load_pixels
from processors.settings import ImageSettings
from processors.text import load_text
from processors.tokens import Tokens

Ids = npt.NDArray[np.int64]


def prepare_pixels(data: bytes, content_type: str, settings: ImageSettings) -> Prepared:
    """A picture as uint8 (3, size, size); normalised later, a batch at once."""
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
        """The same of a text that is one already."""
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
