"""Opens the packed corpus for training: sources that draw, and the validation style and voice as they are."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.features import IMAGE
from models.protocol import Concept, Texts
from models.training.pictures import PictureSource
from models.training.speech import SpeechSource
from models.training.words import TextSource, pad_tokens
from syncline.errors import SettingsError


class Validation(msgspec.Struct):
    """One picture, clip and text of each concept, in a style and a voice that training never sees.

    pixels (n, 3, size, size); log_mel (n, n_mels, n_frames) and n_frames (n,); tokens (n, n_tokens) with
    has_text (n,) for those that have a text at all.
    """

    pixels: Tensor
    log_mel: Tensor
    n_frames: Tensor
    tokens: Tensor
    has_text: Tensor


class TrainingData(msgspec.Struct):
    """All that training reads. `phones`: of each concept, the phones of its label, numbered from 1."""

    concepts: list[Concept]
    pictures: PictureSource
    speech: SpeechSource
    texts: TextSource
    phones: list[list[int]]
    n_phones: int
    validation: Validation


def open_corpus(
    arrays_dir: Path, concepts: list[Concept], texts: Texts, tokenizer: Tokenizer, seed: int
) -> TrainingData:
    """Read the arrays that `models.corpus` packed. Raises SettingsError where they are missing or of other concepts."""
    if not (arrays_dir / "phones.json").exists():
        raise SettingsError("--corpus", str(arrays_dir.parent), "a corpus that `make corpus` built")
    pictures = torch.from_numpy(np.load(arrays_dir / "pictures-train.npy"))
    if len(pictures) != len(concepts):
        raise SettingsError("--corpus", f"{len(pictures)} concepts", f"{len(concepts)} concepts: run `make corpus`")
    phones = json.loads((arrays_dir / "phones.json").read_text())
    dice = [torch.Generator().manual_seed(seed * 10 + n) for n in range(3)]  # one each: no source disturbs another
    return TrainingData(
        concepts,
        PictureSource(pictures, IMAGE.size, dice[0]),
        _speech(arrays_dir, "train", dice[1]),
        TextSource(concepts, tokenizer, dice[2]),
        phones["phones"],
        len(phones["names"]),
        _open_validation(arrays_dir, concepts, texts, tokenizer),
    )


def _open_validation(arrays_dir: Path, concepts: list[Concept], texts: Texts, tokenizer: Tokenizer) -> Validation:
    packed = torch.from_numpy(np.load(arrays_dir / "pictures-validation.npy"))[:, 0].float() / 255
    flat = packed[:, :3] * packed[:, 3:] + 1 - packed[:, 3:]  # on white, as preprocessing lays it
    pixels = F.interpolate(flat, IMAGE.size, mode="bicubic", antialias=True).clamp(0, 1) * 2 - 1
    log_mel, n_frames = _speech(arrays_dir, "validation", torch.Generator()).gather(torch.arange(len(concepts)))
    has_text = torch.tensor([c.name in texts.en for c in concepts])
    tokens = pad_tokens([tokenizer.encode(texts.en.get(c.name, "")).ids for c in concepts])
    return Validation(pixels, log_mel, n_frames, tokens, has_text)


def _speech(arrays_dir: Path, split: str, generator: torch.Generator) -> SpeechSource:
    with np.load(arrays_dir / f"speech-{split}.npz") as packed:
        frames, starts, concept = (torch.from_numpy(packed[key]) for key in ("frames", "starts", "concept"))
    return SpeechSource(frames, starts, concept, generator)
