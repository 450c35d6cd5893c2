"""Speaks the words beyond the labels: so that speech is matched with spelling for words that no concept has."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.corpus.progress import Progress
from models.corpus.speech import ESPEAK, FLITE, SECOND, speak
from models.features import AUDIO, scale_log_mel
from models.protocol import voices
from processors.audio import load_log_mel

N_VOICES = 3
"""Each word is spoken by so many of the training voices, in turn: more words teach more than more voices do."""


def voices_of(number: int) -> list[str]:
    """Who speaks word `number`: one of flite, one of espeak, and flite's next at another speed."""
    flite = [voice for voice in voices("train") if voice in FLITE]
    espeak = [voice for voice in voices("train") if voice in ESPEAK]
    return [flite[number % len(flite)], espeak[number % len(espeak)], flite[(number + 1) % len(flite)] + SECOND]


def speak_words(words_dir: Path, words: Sequence[str]) -> None:
    """Write `<number>-<k>.wav`, spoken by `voices_of(number)[k]`, for all that are not there yet."""
    words_dir.mkdir(parents=True, exist_ok=True)
    progress = Progress("words", len(words) * N_VOICES)

    def one(number: int) -> None:
        for k, voice in enumerate(voices_of(number)):
            path = words_dir / f"{number}-{k}.wav"
            if not path.exists():
                part = path.with_suffix(".part")
                speak(voice, words[number], part)
                part.rename(path)  # a file that is there is whole
            progress.step()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(len(words))))


def pack_words(words_dir: Path, path: Path, n_words: int) -> None:
    """Write an `.npz` of `frames`, `starts` and `concept` (here a word's number), as `arrays.pack_speech` does."""
    clips: list[npt.NDArray[np.uint8]] = []
    progress = Progress("log-mel of words", n_words * N_VOICES)
    for number in range(n_words):
        for k in range(N_VOICES):
            data = (words_dir / f"{number}-{k}.wav").read_bytes()
            scaled = scale_log_mel(load_log_mel(data, "audio/wav", AUDIO))
            clips.append(np.round((scaled + 1) * 127.5).astype(np.uint8))
            progress.step()
    starts = np.cumsum([0, *(clip.shape[1] for clip in clips)])
    numbers = np.repeat(np.arange(n_words), N_VOICES)
    np.savez(path, frames=np.concatenate(clips, 1), starts=starts, concept=numbers)
