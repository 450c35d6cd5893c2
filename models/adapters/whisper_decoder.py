"""Whisper by CTranslate2: batches of log-mel features to text, its probability and its language.

Whisper was trained on windows of 30 s and pads everything shorter, which makes a spoken word as dear as a paragraph.
CTranslate2 takes shorter windows: several times faster, but on some clips the text then runs in a circle. Those are
found (`is_runaway`) and heard again in a window of 30 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import ctranslate2
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import merge_punctuations

from models.adapters.transcripts import Heard, is_silence, max_tokens, repeats_itself
from models.interface import TimedWord

FRAMES_PER_S = 100
FULL_WINDOW = 30 * FRAMES_PER_S
SHORT_WINDOW = 15 * FRAMES_PER_S
"""The shortest window that is tried; see docs/models.md for what it costs and brings."""
MARGIN = FRAMES_PER_S
"""At least so much silence follows the sound in a short window."""
_PREPEND, _APPEND = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"
_PROMPT_TOKENS = 4


class Sound(NamedTuple):
    """A piece of a clip as features: float32 (n_mels, n_frames), 10 ms a frame; where it begins, its language."""

    start_ms: int
    n_ms: int
    features: npt.NDArray[np.float32]
    language: str | None = None


class Decoder:
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

    def decode(self, sounds: Sequence[Sound], window: int, no_repeat: int = 0) -> list[tuple[Heard, bool]]:
        """Hear sounds as one batch in a window of `window` frames; with each, whether its text ran in a circle."""
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

    def _encode(self, sounds: Sequence[Sound], window: int) -> Any:
        """Sounds side by side, padded as silence looks: 80 dB below each one's loudest band."""
        batch = np.stack([
            np.pad(one.features, ((0, 0), (0, window - one.features.shape[1])), constant_values=one.features.min())
            for one in sounds
        ])  # fmt: skip
        return self._network.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(batch)))

    def _languages(self, sounds: Sequence[Sound], encoded: Any) -> list[str]:
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

    def _heard(self, result: Any, ids: list[int], language: str) -> Heard:
        n_said = len(result.sequences_ids[0])
        logprob = result.scores[0] * n_said / (n_said + 1)  # the end of the text is a token, too
        text = "" if is_silence(result.no_speech_prob, logprob) else self._tokenizer(language).decode(ids).strip()
        return Heard(text, logprob, len(ids), language)

    def _words(
        self, encoded: Any, sounds: Sequence[Sound], languages: list[str], ids: list[list[int]]
    ) -> list[tuple[TimedWord, ...]]:
        """When each word is said, by the model's cross-attention; one pass for each language of the batch."""
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
    """Both say that they take what they do not."""
    return function


def _timed(word: dict[str, Any], sound: Sound) -> TimedWord:
    start, end = (sound.start_ms + min(sound.n_ms, round(float(word[key]) * 1_000)) for key in ("start", "end"))
    return TimedWord(word["word"].strip(), start, max(start, end), min(1.0, max(0.0, float(word["probability"]))))
