"""Packs the training and validation files of the corpus into a few arrays, so that training starts at once.

Test files are not packed: evaluation reads them one by one, through the same code as the service.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.evaluation.protocol import Concept, styles, voices
from models.features import AUDIO, scale_log_mel
from models.training.corpus.speech import N_VOICES, SECOND
from models.training.display import CountedWork
from processors.audio import load_log_mel

PIXELS = 64
"""Side of the packed pictures; training cuts its inputs from them."""


def pack_pictures(pictures_dir: Path, out_dir: Path, split: str, concepts: list[Concept]) -> None:
    """Write `pictures-<split>.npy`: uint8 (n_concepts, n_styles, 4, 64, 64), RGBA."""
    names = list(styles(split))
    packed = np.empty((len(concepts), len(names), 4, PIXELS, PIXELS), np.uint8)
    for i, concept in enumerate(concepts):
        for j, style in enumerate(names):
            with Image.open(io.BytesIO((pictures_dir / style / f"{concept.name}.png").read_bytes())) as image:
                small = image.convert("RGBA").resize((PIXELS, PIXELS), Image.Resampling.BICUBIC)
            packed[i, j] = np.asarray(small).transpose(2, 0, 1)
    np.save(out_dir / f"pictures-{split}.npy", packed)


def pack_speech(speech_dir: Path, out_dir: Path, split: str, concepts: list[Concept]) -> None:
    """Write `speech-<split>.npz`, the clips of all voices of a split; a concept's number is its place in `concepts`."""
    renditions = [voice + mark for voice in voices(split) for mark in ("", SECOND)]
    there = [voice for voice in renditions if (speech_dir / voice).is_dir()]
    clips = [(i, speech_dir / voice / f"{c.name}.wav") for voice in there for i, c in enumerate(concepts)]
    _pack_clips(f"log-mel of {split}", clips, out_dir / f"speech-{split}.npz")


def pack_words(words_dir: Path, path: Path, n_words: int) -> None:
    """Write the clips of words as `pack_speech` does; `concept` is a word's number."""
    clips = [(n, words_dir / f"{n}-{k}.wav") for n in range(n_words) for k in range(N_VOICES)]
    _pack_clips("log-mel of words", clips, path)


def _pack_clips(what: str, files: Sequence[tuple[int, Path]], path: Path) -> None:
    """Write an `.npz`: `frames` uint8 (n_mels, all frames in a row), `starts` int64 and `concept`.

    Clip k is frames[:, starts[k] : starts[k + 1]] and says concept[k]; value / 127.5 - 1 is what `scale_log_mel` gives.
    """
    clips: list[npt.NDArray[np.uint8]] = []
    work = CountedWork(what, len(files))
    for _, file in files:
        scaled = scale_log_mel(load_log_mel(file.read_bytes(), "audio/wav", AUDIO))
        clips.append(np.round((scaled + 1) * 127.5).astype(np.uint8))
        work.step()
    starts = np.cumsum([0, *(clip.shape[1] for clip in clips)])
    np.savez(path, frames=np.concatenate(clips, 1), starts=starts, concept=np.array([number for number, _ in files]))


def write_phones(out_dir: Path, concepts: list[Concept]) -> None:
    """Write `phones.json`: for each concept the phones of its label, numbered from 1, by espeak-ng's rules."""
    spoken = [_phones(c.label) for c in concepts]
    names = sorted({phone for phones in spoken for phone in phones})
    (out_dir / "phones.json").write_text(json.dumps({"names": names, "phones": _numbered(spoken, names)}))


def write_word_phones(words_dir: Path, arrays_dir: Path, words: Sequence[str]) -> None:
    """Write `phones.json` of other words, with the numbers that the labels' phones have; phones of no label go."""
    names: list[str] = json.loads((arrays_dir / "phones.json").read_text())["names"]
    phones = _numbered([_phones(word) for word in words], names)
    (words_dir / "phones.json").write_text(json.dumps({"names": names, "phones": phones}))


def _numbered(spoken: list[list[str]], names: list[str]) -> list[list[int]]:
    numbers = {phone: n for n, phone in enumerate(names, 1)}
    return [[numbers[phone] for phone in phones if phone in numbers] for phones in spoken]


def _phones(text: str) -> list[str]:
    command = ["espeak-ng", "-q", "-x", "--sep=_", text]
    line = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [phone for phone in re.split(r"[_\s]+", re.sub(r"[',=%|]", "", line)) if phone]
