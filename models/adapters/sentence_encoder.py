"""Sentence encoders of transformers (sentence-transformers' folders): one vector a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel

from models.adapters.huggingface import Opened, find_source, open_network
from models.adapters.lane_model import Encoded, LaneEncoder, LaneModel, Vectors
from models.adapters.lanes import TextTokens, side_by_side
from models.adapters.manifest import AdapterManifest, read_labels
from models.interface import Prepared


class SentenceEncoder(LaneEncoder):
    """Mean of the last layer over the tokens that are there, or its first token (`pooling`: `mean`, `cls`)."""

    def __init__(self, opened: Opened, tokens: TextTokens, pooling: str) -> None:
        self._opened, self._tokens, self._pooling = opened, tokens, pooling
        self.width = int(opened.network.config.hidden_size)

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """int32 (n_tokens,)."""
        return self._tokens.prepare(data, content_type)

    @torch.inference_mode()
    def encode(self, values: Sequence[Any]) -> Encoded:
        """Texts as one batch."""
        pad = int(getattr(self._opened.network.config, "pad_token_id", None) or 0)
        ids, mask = (torch.from_numpy(part).to(self._opened.device) for part in side_by_side(values, pad))
        states = self._opened.network(input_ids=ids, attention_mask=mask).last_hidden_state  # [B, T, d]
        there = mask[:, :, None].to(states.dtype)
        pooled = states[:, 0] if self._pooling == "cls" else (states * there).sum(1) / there.sum(1)
        return Encoded(pooled.float().cpu().numpy())

    def encode_labels(self, texts: Sequence[str]) -> Vectors:
        """Labels, 64 at a time."""
        tokens = [self._tokens.of(text).value for text in texts]
        parts = [self.encode(tokens[at : at + 64]).embeddings for at in range(0, len(tokens), 64)]
        return np.concatenate([part for part in parts if part is not None])


def open_sentence_encoder(folder: Path, manifest: AdapterManifest) -> LaneModel:
    """The model of a folder's manifest: a text lane. Raises SettingsError where it is none, or does not fit."""
    source = find_source(folder, manifest)
    opened = open_network(AutoModel, source, manifest.name)
    tokens = TextTokens(source / manifest.tokenizer, manifest.max_tokens)
    lanes: dict[str, LaneEncoder] = {"text": SentenceEncoder(opened, tokens, manifest.pooling)}
    return LaneModel(
        manifest.name, manifest.version, lanes, read_labels(folder, manifest), manifest.prompt, manifest.scale
    )
