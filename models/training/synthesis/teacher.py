"""The teacher: Debian's flite with the voice slt says a sentence, and which phone ends when."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile

from models.synthesis.mel import HOP, SAMPLE_RATE_HZ
from syncline.errors import SettingsError

VOICE = "slt"


class Utterance(msgspec.Struct, frozen=True):
    """What the teacher said: float32 (n_samples,) at 16 kHz, phones and how many frames of 12.5 ms each takes."""

    samples: npt.NDArray[np.float32]
    phones: list[str]
    n_frames: list[int]


def check_teacher() -> None:
    """Raise SettingsError, with what to install, where flite is missing."""
    if shutil.which("flite") is None:
        raise SettingsError("PATH", "no flite", "flite, which speaks the sentences (Debian: flite)")


def say(sentence: str) -> Utterance:
    """Speak one sentence. Raises SettingsError where flite cannot."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        command = ["flite", "-voice", VOICE, "-psdur", "-t", sentence, "-o", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0 or not path.exists():
            raise SettingsError("flite", done.stderr.strip()[-200:], f"a flite with the voice {VOICE}")
        samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ:
        raise SettingsError("flite", f"{rate_hz} Hz", f"{SAMPLE_RATE_HZ} Hz")
    phones, ends_s = read_timing(done.stdout)
    return Utterance(np.asarray(samples, np.float32), phones, frames_of(ends_s, 1 + len(samples) // HOP))


def read_timing(printed: str) -> tuple[list[str], list[float]]:
    """`pau:0.164 hh:0.255` to phones and their ends in seconds. A second utterance is set after the first."""
    phones, ends_s, at_s = [], [], 0.0
    for line in printed.strip().splitlines():
        entries = [entry.rsplit(":", 1) for entry in line.split()]
        phones += [phone for phone, _ in entries]
        ends_s += [at_s + float(end) for _, end in entries]
        at_s = ends_s[-1] if ends_s else 0.0
    return phones, ends_s


def frames_of(ends_s: list[float], n_frames: int) -> list[int]:
    """Ends in seconds to frames each, at least one, that add up to `n_frames`; what is over goes to the last."""
    frames, at = [], 0
    for end_s in ends_s[:-1]:
        end = max(at + 1, round(end_s * SAMPLE_RATE_HZ / HOP))
        frames.append(end - at)
        at = end
    return [*frames, max(1, n_frames - at)]
