"""Embeds a search: words, a picture, a sound, or several of them as one set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.interface import Member, Model
from syncline.errors import ContractError, MediaError, SettingsError
from syncline.wire.media import sniff_content_type

MAX_FILE_BYTES = 64 * 2**20


class Part(NamedTuple):
    """One part of a query.

    Attributes:
        modality (str): `image`, `text` or `audio`.
        data (bytes): the file, or the text as UTF-8.
        what (str): what errors call it.
        language (str | None): BCP 47. Default: none.
    """

    modality: str
    data: bytes
    what: str
    language: str | None = None


def text_part(text: str, language: str | None = None) -> Part:
    """Search by words.

    Example:
        >>> text_part("a cat", "en").data
        b'a cat'
    """
    # Bytes of the command line that were no UTF-8 come back as they were: the model says what is wrong with them.
    return Part("text", text.encode(errors="surrogateescape"), "text", language)


def file_part(modality: str, path: Path) -> Part:
    """Search by a picture or a sound.

    Raises:
        MediaError: the file cannot be read or is over 64 MiB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise MediaError("unreadable", f"{path}: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise MediaError("too_large", f"{path}: more than {MAX_FILE_BYTES} bytes")
    return Part(modality, data, str(path))


def embed(model: Model, parts: Sequence[Part]) -> np.ndarray[Any, Any]:
    """Embed all parts as one set: float32 (n_embedding,).

    Args:
        model (Model): one that gives embeddings.
        parts (Sequence[Part]): at least one.

    Raises:
        MediaError: a part cannot be used; the error names it.
        SettingsError: the model gives no embeddings.
    """
    fused = model.run([[_member(model, part) for part in parts]])[0]
    if fused.embedding is None:
        raise SettingsError("--model", model.name, "a model that gives embeddings")
    return fused.embedding


def _member(model: Model, part: Part) -> Member:
    try:
        content_type = sniff_content_type(part.modality, part.data)
        prepared = model.prepare(part.modality, part.data, content_type, part.language)
    except (ContractError, MediaError) as error:
        raise MediaError(error.reason, f"{part.what}: {error.detail}") from error
    return Member(part.modality, part.modality, prepared)
