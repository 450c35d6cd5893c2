"""Opens the packed corpus: sources that draw for training, and the validation media as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.evaluation.protocol import Concept, Texts
from models.features import IMAGE
from models.training.reference.sources import PictureSource, SpeechSource, TextSource, pad_tokens
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


class SpokenClips(msgspec.Struct):
    """Clips with what is said in them: `source` numbers what is said; `phones` (from 1) and `spelled` are of each."""

    source: SpeechSource
    phones: list[list[int]]
    spelled: list[list[int]]


class TrainingData(msgspec.Struct):
    """What training reads. `labels`: the spoken labels of the concepts; `words`: other spoken words."""

    concepts: list[Concept]
    pictures: PictureSource
    labels: SpokenClips
    words: SpokenClips
    texts: TextSource
    n_phones: int
    validation: Validation


def open_corpus(
    corpus_dir: Path,
    concepts: list[Concept],
    texts: Texts,
    words: Sequence[str],
    tokenizer: Tokenizer,
    seed: int,
    without: frozenset[str] = frozenset(),
) -> TrainingData:
    """Read the arrays that `models.training.corpus` packed.

    Args:
        corpus_dir (Path): the folder that `make corpus` built.
        concepts (list[Concept]): the protocol's concepts.
        texts (Texts): the protocol's texts.
        words (Sequence[str]): the protocol's words.
        tokenizer (Tokenizer): of the model.
        seed (int): draws media and changes.
        without (frozenset[str]): names of concepts to leave out.

    Raises:
        SettingsError: the arrays are missing or of other concepts.
    """
    arrays_dir = corpus_dir / "arrays"
    if not (arrays_dir / "phones.json").exists() or not (corpus_dir / "words" / "phones.json").exists():
        raise SettingsError("--corpus", str(corpus_dir), "a corpus that `make corpus` built")
    pictures = torch.from_numpy(np.load(arrays_dir / "pictures-train.npy"))
    if len(pictures) != len(concepts):
        raise SettingsError("--corpus", f"{len(pictures)} concepts", f"{len(concepts)} concepts: run `make corpus`")
    kept = torch.tensor([i for i, c in enumerate(concepts) if c.name not in without])
    mine = [concepts[i] for i in kept.tolist()]
    dice = [torch.Generator().manual_seed(seed * 10 + n) for n in range(4)]  # one each: no source disturbs another
    phones = json.loads((arrays_dir / "phones.json").read_text())
    word_phones = json.loads((corpus_dir / "words" / "phones.json").read_text())["phones"]
    spelled = [tokenizer.encode(c.label).ids for c in mine]
    return TrainingData(
        mine,
        PictureSource(pictures[kept], IMAGE.size, dice[0]),
        SpokenClips(
            _speech(arrays_dir / "speech-train.npz", kept, dice[1]), [phones["phones"][i] for i in kept], spelled
        ),
        SpokenClips(
            _speech(corpus_dir / "words" / "speech.npz", torch.arange(len(words)), dice[3]),
            word_phones,
            [tokenizer.encode(word).ids for word in words],
        ),
        TextSource(mine, tokenizer, dice[2]),
        len(phones["names"]),
        _open_validation(arrays_dir, mine, kept, texts, tokenizer),
    )


def _open_validation(
    arrays_dir: Path, concepts: list[Concept], kept: Tensor, texts: Texts, tokenizer: Tokenizer
) -> Validation:
    packed = torch.from_numpy(np.load(arrays_dir / "pictures-validation.npy"))[kept, 0].float() / 255
    flat = packed[:, :3] * packed[:, 3:] + 1 - packed[:, 3:]  # on white, as preprocessing lays it
    pixels = F.interpolate(flat, IMAGE.size, mode="bicubic", antialias=True).clamp(0, 1) * 2 - 1
    source = _speech(arrays_dir / "speech-validation.npz", kept, torch.Generator())
    log_mel, n_frames = source.gather(source.clips[:, 0])
    has_text = torch.tensor([c.name in texts.en for c in concepts])
    tokens = pad_tokens([tokenizer.encode(texts.en.get(c.name, "")).ids for c in concepts])
    return Validation(pixels, log_mel, n_frames, tokens, has_text)


def _speech(path: Path, kept: Tensor, generator: torch.Generator) -> SpeechSource:
    """The clips of what is `kept`, renumbered in its order."""
    with np.load(path) as packed:
        arrays: dict[str, Any] = {key: torch.from_numpy(packed[key]) for key in ("frames", "starts", "concept")}
    number = torch.full((int(arrays["concept"].max()) + 1,), -1)
    number[kept] = torch.arange(len(kept))
    return SpeechSource(arrays["frames"], arrays["starts"], number[arrays["concept"]], generator)
