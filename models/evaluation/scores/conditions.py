"""The media that the protocol asks a model about, clean and degraded."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from PIL import Image

from models.evaluation.protocol import Concept, Conditions
from models.interface import Model, Prepared
from syncline.errors import SettingsError


def degrade_speech(data: bytes, name: str, conditions: Conditions) -> bytes:
    """A sound file to a WAV file of a telephone's band with white noise `snr_db` below the speech; `name` draws it."""
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    narrow = soxr.resample(samples.mean(1), rate_hz, conditions.sample_rate_hz)
    noise = _dice(name, conditions).normal(0, 1, len(narrow))
    loudness = np.sqrt(np.mean(np.square(narrow), dtype=np.float64))
    noisy = narrow + noise * loudness * 10 ** (-conditions.snr_db / 20)
    out = io.BytesIO()
    peak = max(1e-9, float(np.abs(noisy).max()))  # nothing is clipped: noise alone shall make it hard
    soundfile.write(out, noisy * 0.9 / peak, conditions.sample_rate_hz, format="WAV", subtype="PCM_16")
    return out.getvalue()


def degrade_picture(data: bytes, name: str, conditions: Conditions) -> bytes:
    """A picture file to a PNG of which one rectangle in one colour hides `covered_share`; `name` draws it."""
    dice = _dice(name, conditions)
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGBA")
    share = conditions.covered_share
    wide = round(picture.width * share ** dice.uniform(0.25, 0.75))
    high = round(share * picture.width * picture.height / wide)
    left, top = (int(dice.integers(0, room + 1)) for room in (picture.width - wide, picture.height - high))
    colour = (*(int(value) for value in dice.integers(0, 256, 3)), 255)
    picture.paste(colour, (left, top, left + wide, top + high))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _dice(name: str, conditions: Conditions) -> np.random.Generator:
    return np.random.default_rng([conditions.seed, zlib.crc32(name.encode())])


Media = list[Prepared | None]
"""One medium of each concept, None where it has none."""


def read_pictures(
    model: Model, corpus_dir: Path, concepts: Sequence[Concept], style: str, worse: Conditions | None = None
) -> Media:
    """Prepare the picture of each concept in a style, degraded where conditions are given."""
    data = _read(corpus_dir / "pictures" / style, "png", concepts, worse, degrade_picture)
    return [model.prepare("image", one, "image/png", None) for one in data]


def read_speech(
    model: Model, corpus_dir: Path, concepts: Sequence[Concept], voice: str, worse: Conditions | None = None
) -> Media:
    """Prepare the clip of each concept in a voice, degraded where conditions are given."""
    data = _read(corpus_dir / "speech" / voice, "wav", concepts, worse, degrade_speech)
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
