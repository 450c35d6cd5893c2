"""Speech to text by Whisper in transformers, whose networks only take windows of 30 s."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

from models.adapters.audio_chunks import RATE_HZ, speech_pieces
from models.adapters.huggingface import fetch, open_network
from models.adapters.transcripts import (
    SILENT,
    HeardPiece,
    Token,
    is_silence,
    language_code,
    max_tokens,
    one_transcript,
    timed_words,
)
from models.adapters.weight_files import check_folder, existing_folder, file_digest, hub_name, weight_files
from models.interface import Converter, Prepared, Text
from processors.audio import load_mono
from processors.settings import AudioSettings
from syncline.errors import SettingsError

SETTING = "transcript=huggingface"
AUDIO = AudioSettings(max_seconds=300)
MAX_BATCH = 8


class PreparedClip(NamedTuple):
    """A piece of a clip: float32 (n_mels, 3000), how much of it is sound, where it begins, its language."""

    start_ms: int
    n_ms: int
    features: np.ndarray[Any, Any]
    language: str | None


class HuggingFaceWhisper(Converter):
    """Whisper from a folder of transformers; one transcript a clip, with times of words, batched over clips."""

    kind = "transcript"
    modality = "audio"

    def __init__(self, folder: Path, name: str) -> None:
        check_folder(folder)
        files = weight_files(folder)
        self.name, self.version = name, file_digest(files[0])[:12]
        opened = open_network(WhisperForConditionalGeneration, folder, name, attn_implementation="eager")
        self._network, self._device = opened.network, opened.device
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)  # nosec B615  (a folder)
        self._extract: Any = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)  # nosec B615
        said = self._network.generation_config
        self._languages = {token.strip("<|>"): i for token, i in (getattr(said, "lang_to_id", None) or {}).items()}

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Sound to the log-mels of its pieces, a list of `PreparedClip`; empty without speech."""
        code = language_code(language, self._languages)
        sounds = [
            PreparedClip(piece.start_ms, len(piece.samples) // 16, self._features(piece.samples), code)
            for piece in speech_pieces(load_mono(data, content_type, AUDIO))
        ]
        return Prepared(sounds, max(1, 30_000 * len(sounds)), sum(sound.features.nbytes for sound in sounds))

    def run(self, items: Sequence[Prepared]) -> list[Text]:
        """A transcript for each clip; pieces of all clips share batches."""
        places = [(i, sound) for i, item in enumerate(items) for sound in item.value]
        pieces: list[list[HeardPiece]] = [[] for _ in items]
        for at in range(0, len(places), MAX_BATCH):
            batch = places[at : at + MAX_BATCH]
            for (i, _), heard in zip(batch, self._hear([sound for _, sound in batch]), strict=True):
                pieces[i].append(heard)
        return [one_transcript(heard) if heard else SILENT for heard in pieces]

    def warm_up(self) -> None:
        """Hear a second of noise."""
        noise = np.random.default_rng(1).normal(0, 0.1, RATE_HZ).astype(np.float32)
        self._hear([PreparedClip(0, 1_000, self._features(noise), None)])

    def _features(self, samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        said = self._extract(samples, sampling_rate=RATE_HZ, return_tensors="np")
        return np.ascontiguousarray(said["input_features"][0], np.float32)

    @torch.inference_mode()
    def _hear(self, sounds: Sequence[PreparedClip]) -> list[HeardPiece]:
        features = torch.from_numpy(np.stack([sound.features for sound in sounds])).to(self._device)
        codes = self._codes(sounds, features)
        options: dict[str, Any] = {"language": codes, "task": "transcribe"} if self._languages else {}
        if timed := bool(getattr(self._network.generation_config, "alignment_heads", None)):
            n_frames = [min(features.shape[2], sound.n_ms // 10 + 1) for sound in sounds]
            mask = torch.arange(features.shape[2])[None] < torch.tensor(n_frames)[:, None]
            options |= {"return_token_timestamps": timed, "attention_mask": mask.long().to(self._device)}
        most = max(max_tokens(sound.n_ms) for sound in sounds)
        room = int(self._network.config.max_target_positions) - 8
        said = self._network.generate(features, max_new_tokens=min(most, room), num_beams=1, do_sample=False, **options)
        ids = said["sequences"] if timed else said  # without the prompt
        times = said["token_timestamps"].tolist() if timed else [[] for _ in sounds]
        doubts, logprobs = self._probabilities(features, ids, codes)
        rows = zip(sounds, ids.tolist(), times, logprobs.tolist(), doubts.tolist(), codes, strict=True)
        return [self._heard(*row) for row in rows]

    def _codes(self, sounds: Sequence[PreparedClip], features: Tensor) -> list[str]:
        """The language of each piece: given, or detected."""
        if not self._languages:
            return ["en"] * len(sounds)
        if all(sound.language for sound in sounds):
            return [sound.language or "" for sound in sounds]
        code_of = {i: code for code, i in self._languages.items()}
        found = self._network.detect_language(input_features=features).tolist()
        return [sound.language or code_of[i] for sound, i in zip(sounds, found, strict=True)]

    def _probabilities(self, features: Tensor, ids: Tensor, codes: list[str]) -> tuple[Tensor, Tensor]:
        """Probability of no speech [B], and log-probability of each token [B, T], by one pass over the answers."""
        config = self._network.generation_config
        prompts = [[config.decoder_start_token_id] for _ in codes]
        if self._languages:
            for prompt, code in zip(prompts, codes, strict=True):
                prompt += [self._languages[code], config.task_to_id["transcribe"]]
        given = torch.tensor([[*prompt, config.no_timestamps_token_id] for prompt in prompts], device=self._device)
        whole = torch.cat([given, ids], 1)
        logits = self._network(input_features=features, decoder_input_ids=whole[:, :-1]).logits.float().log_softmax(-1)
        logprobs = logits.gather(2, whole[:, 1:, None])[:, -ids.shape[1] :, 0]
        return logits[:, 0, config.no_timestamps_token_id - 1].exp(), logprobs

    def _heard(
        self,
        sound: PreparedClip,
        ids: list[int],
        times: list[float],
        logprobs: list[float],
        doubt: float,
        code: str,
    ) -> HeardPiece:
        end, special = self._network.generation_config.eos_token_id, set(self._tokenizer.all_special_ids)
        n_tokens = ids.index(end) + 1 if end in ids else len(ids)
        n_tokens = min(n_tokens, max_tokens(sound.n_ms))  # a neighbour in the batch may have been given more
        logprob = sum(logprobs[:n_tokens]) / max(1, n_tokens)
        kept = [i for i in range(n_tokens) if ids[i] not in special]
        text = self._tokenizer.decode([ids[i] for i in kept]).strip()
        if is_silence(doubt, logprob) or not text:
            return HeardPiece("", logprob, n_tokens, code)
        tokens = [
            Token(self._tokenizer.decode([ids[i]]), round(times[i] * 1_000) if times else 0, logprobs[i]) for i in kept
        ]
        words = timed_words(tokens, sound.start_ms, sound.n_ms) if times else ()
        return HeardPiece(text, logprob, n_tokens, code, words)


def open_whisper(where: str) -> HuggingFaceWhisper:
    """Open Whisper from a folder of transformers, or from the hub (`hub:OWNER/NAME`).

    Raises:
        SettingsError: the model cannot be used.
    """
    if (name := hub_name(where)) is not None:
        return HuggingFaceWhisper(fetch(name), f"whisper/{name}")
    if not where:
        raise SettingsError(SETTING, where, "huggingface:FOLDER or huggingface:hub:OWNER/NAME")
    folder = existing_folder(SETTING, where, "config.json")
    return HuggingFaceWhisper(folder, f"whisper/{folder.resolve().name}")
