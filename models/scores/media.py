"""The media of a split, prepared as the service prepares them: from the bytes of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from models.interface import Model, Prepared
from models.protocol import Concept, Conditions, styles, voices
from models.scores.degrade import degrade_picture, degrade_speech
from syncline.errors import SettingsError

Media = list[Prepared | None]
"""One medium of each concept, None where it has none."""


def read_pictures(
    model: Model, corpus_dir: Path, concepts: Sequence[Concept], split: str, worse: Conditions | None = None
) -> Media:
    """The split's picture of each concept, made worse where conditions are given."""
    folder = corpus_dir / "pictures" / next(iter(styles(split)))
    data = _read(folder, "png", concepts, worse, degrade_picture)
    return [model.prepare("image", one, "image/png", None) for one in data]


def read_speech(
    model: Model, corpus_dir: Path, concepts: Sequence[Concept], split: str, worse: Conditions | None = None
) -> Media:
    """The split's clip of each concept, made worse where conditions are given."""
    folder = corpus_dir / "speech" / next(iter(voices(split)))
    data = _read(folder, "wav", concepts, worse, degrade_speech)
    return [model.prepare("audio", one, "audio/wav", "en") for one in data]


def read_texts(model: Model, texts: Sequence[str | None]) -> Media:
    """Texts as events of plain text."""
    return [None if text is None else model.prepare("text", text.encode(), "text/plain", None) for text in texts]


def _read(
    folder: Path,
    suffix: str,
    concepts: Sequence[Concept],
    worse: Conditions | None,
    degrade: Callable[[bytes, str, Conditions], bytes],
) -> list[bytes]:
    out: list[bytes] = []
    for concept in concepts:
        path = folder / f"{concept.name}.{suffix}"
        if not path.is_file():
            raise SettingsError("--corpus", str(path), "a corpus that `make corpus` built")
        data = path.read_bytes()
        out.append(data if worse is None else degrade(data, concept.name, worse))
    return out
