"""Text to speech by flite, a small synthesiser (Debian: flite), run as a subprocess."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from models.adapters.speaking import in_range, prepare_speech, too_long
from models.interface import Converter, Prepared, Speech
from processors.limits import refuse
from processors.wav import read_wav_format, wav_mono
from syncline.errors import MediaError, SettingsError

SETTING = "speech=flite"
DEFAULT_VOICE = "slt"
MAX_RUN_S = 30
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


class FliteConverter(Converter):
    """A voice of flite. The text is passed as a file, so that no text can be an option or a command."""

    kind = "speech"
    modality = "text"

    def __init__(self, voice: str, command: str, version: str) -> None:
        self.name, self.version = f"flite/{Path(voice).stem}", version
        self._voice, self._command = voice, command

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:  # noqa: ARG002
        """The text as it is; at most 2,000 characters."""
        return prepare_speech(data, content_type)

    def run(self, items: Sequence[Prepared]) -> list[Speech | MediaError]:
        """Speech of each text at the voice's rate; flite speaks one at a time."""
        with tempfile.TemporaryDirectory(prefix="syncline-flite-") as folder:
            return [self._speak(item.value, Path(folder)) for item in items]

    def warm_up(self) -> None:
        """Say a word: a voice that does not work shows before the worker is ready."""
        self.run([Prepared("ready")])

    def _speak(self, text: str, folder: Path) -> Speech | MediaError:
        plain = plain_text(text)
        if not any(char.isalnum() for char in plain):
            return refuse("text_no_words", "nothing is left that flite can say: it speaks ASCII")
        source, target = folder / "text.txt", folder / "speech.wav"
        source.write_text(plain + "\n", encoding="ascii")
        command = [self._command, "-voice", self._voice, "-f", str(source), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_RUN_S, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"flite ended with {done.returncode}: {done.stderr.strip()[-200:]}")
        data = target.read_bytes()
        wav = read_wav_format(data)
        samples = wav_mono(data, wav)
        return too_long(len(samples), wav.rate_hz) or Speech(in_range(samples), wav.rate_hz, "en")


def plain_text(text: str) -> str:
    """Make a text ASCII, which is all that flite speaks: drop accents, replace other signs by spaces.

    Example:
        >>> plain_text("déjà vu — 猫")
        'deja vu -  '
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    kept = (char for char in decomposed if not unicodedata.combining(char))
    return "".join(char if char.isascii() and char.isprintable() else " " for char in kept)


def open_flite(where: str) -> FliteConverter:
    """Open a voice of flite, or a .flitevox file.

    Raises:
        SettingsError: flite is missing or the voice is unknown.
    """
    command = shutil.which("flite")
    if command is None:
        raise SettingsError(SETTING, "no flite on the PATH", "flite: apt-get install flite, or brew install flite")
    voice = where or DEFAULT_VOICE
    if not (voice.endswith(".flitevox") and Path(voice).is_file()):
        known = _ask(command, "-lv").partition(":")[2].split()
        if voice not in known:
            raise SettingsError(SETTING, voice, f"{', '.join(sorted(set(known)))}, or the path of a .flitevox file")
    version = next((line.split()[1] for line in _ask(command, "--version").splitlines() if "version:" in line), "")
    return FliteConverter(voice, command, version.removeprefix("flite-") or "unknown")


def _ask(command: str, option: str) -> str:
    try:
        done = subprocess.run([command, option], capture_output=True, text=True, timeout=MAX_RUN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(SETTING, command, f"a flite that runs ({error})") from error
    return done.stdout + done.stderr
