"""Embeds what is searched for: words, a picture, a sound, or several of them as one set."""

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
    """One part of a query: `what` names it in errors, `language` is BCP 47 or None."""

    modality: str
    data: bytes
    what: str
    language: str | None = None


def text_part(text: str, language: str | None = None) -> Part:
    """Words to search for."""
    # What was no UTF-8 on the command line comes back as it was, and the model says what is wrong with it.
    return Part("text", text.encode(errors="surrogateescape"), "text", language)


def file_part(modality: str, path: Path) -> Part:
    """A picture or a sound to search for. Raises `MediaError` where it cannot be read, or is over 64 MiB."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise MediaError("unreadable", f"{path}: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise MediaError("too_large", f"{path}: more than {MAX_FILE_BYTES} bytes")
    return Part(modality, data, str(path))


def embed(model: Model, parts: Sequence[Part]) -> np.ndarray[Any, Any]:
    """The embedding of all parts as one set: float32 (n_embedding,).

    Raises `MediaError` that names the part which cannot be used, `SettingsError` for a model that gives none.
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
