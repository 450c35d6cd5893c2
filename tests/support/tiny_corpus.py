"""A made-up corpus of a few concepts, packed as `models.training.corpus.arrays` packs the real one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from models.evaluation.protocol import Concept, Texts

N_CONCEPTS, N_PHONES = 12, 7
LABELS = ["cat", "dog", "sun", "moon", "tree", "fish", "car", "boat", "hat", "shoe", "key", "cup"]


def tiny_concepts() -> list[Concept]:
    """Concepts that share four tags in English and in Chinese."""
    return [
        Concept(label, label, f"词{i}", "?", 0, [f"kind{i % 4}"], [f"类{'甲乙丙丁'[i % 4]}"])
        for i, label in enumerate(LABELS)
    ]


def tiny_texts() -> Texts:
    """The first tag of each, but the last concept has none."""
    concepts = tiny_concepts()
    en = {c.name: c.tags_en[0] for c in concepts[:-1]}
    return Texts(0, en, {}, [concepts[-1].name], [c.name for c in concepts])


WORDS = ["red", "hut", "sum", "moor", "tee"]


def write_tiny_corpus(corpus_dir: Path) -> None:
    """Two training styles and four clips of each concept, one style and clip for validation, two clips of each word."""
    arrays_dir, words_dir = corpus_dir / "arrays", corpus_dir / "words"
    arrays_dir.mkdir(parents=True)
    words_dir.mkdir()
    dice = np.random.default_rng(0)
    for split, n_styles, n_voices in (("train", 2, 4), ("validation", 1, 1)):
        pictures = dice.integers(0, 256, (N_CONCEPTS, n_styles, 4, 64, 64), dtype=np.uint8)
        np.save(arrays_dir / f"pictures-{split}.npy", pictures)
        _write_speech(arrays_dir / f"speech-{split}.npz", N_CONCEPTS, n_voices, dice)
    _write_speech(words_dir / "speech.npz", len(WORDS), 2, dice)
    for folder, n in ((arrays_dir, N_CONCEPTS), (words_dir, len(WORDS))):
        phones = [[1 + (i + j) % N_PHONES for j in range(3)] for i in range(n)]
        (folder / "phones.json").write_text(json.dumps({"names": list("abcdefg"), "phones": phones}))


def _write_speech(path: Path, n: int, n_voices: int, dice: np.random.Generator) -> None:
    lengths = dice.integers(40, 90, n * n_voices)
    starts = np.cumsum([0, *lengths])
    frames = dice.integers(0, 256, (64, starts[-1]), dtype=np.uint8)
    np.savez(path, frames=frames, starts=starts, concept=np.tile(np.arange(n), n_voices))


def png(seed: int, size: int = 80) -> bytes:
    """A PNG of noise."""
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def wav(seed: int, seconds: float = 1.0) -> bytes:
    """A WAV file of noise at 16 kHz."""
    out = io.BytesIO()
    samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * 16_000)).clip(-1, 1)
    soundfile.write(out, samples, 16_000, format="WAV", subtype="PCM_16")
    return out.getvalue()
