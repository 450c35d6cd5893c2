"""Encoders of transformers: CLIP-like dual encoders of pictures and texts, and sentence encoders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from transformers import AutoModel

from models.adapters.adapter_manifest import AdapterManifest, read_labels
from models.adapters.huggingface import Opened, find_source, open_network
from models.adapters.lane_model import (
    Encoded,
    LaneEncoder,
    LaneModel,
    TextTokens,
    Vectors,
    prepare_pixels,
    side_by_side,
)
from models.interface import Prepared
from processors.image import normalise
from processors.settings import ImageSettings
from syncline.errors import SettingsError

PREPROCESSING = "preprocessor_config.json"


class PictureEncoder(LaneEncoder):
    """The picture half of a dual encoder."""

    def __init__(self, opened: Opened, settings: ImageSettings, width: int) -> None:
        self._opened, self._settings, self.width = opened, settings, width

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """uint8 (3, size, size)."""
        return prepare_pixels(data, content_type, self._settings)

    @torch.inference_mode()
    def encode(self, values: Sequence[Any]) -> Encoded:
        """Pictures as one batch."""
        pixels = torch.from_numpy(normalise(np.stack(values), self._settings)).to(self._opened.device)
        return Encoded(_vectors(self._opened.network.get_image_features(pixel_values=pixels)))


class TokenEncoder(LaneEncoder):
    """An encoder of texts."""

    def __init__(self, opened: Opened, tokens: TextTokens, width: int) -> None:
        self._opened, self._tokens, self.width = opened, tokens, width

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """int32 (n_tokens,)."""
        return self._tokens.prepare(data, content_type)

    def encode_labels(self, texts: Sequence[str]) -> Vectors:
        """Labels, 64 at a time."""
        tokens = [self._tokens.of(text).value for text in texts]
        parts = [self.encode(tokens[at : at + 64]).embeddings for at in range(0, len(tokens), 64)]
        return np.concatenate([part for part in parts if part is not None])


class CaptionEncoder(TokenEncoder):
    """The text half of a dual encoder."""

    @torch.inference_mode()
    def encode(self, values: Sequence[Any]) -> Encoded:
        """Texts as one batch, padded with the end's token, after which CLIP does not look."""
        config = getattr(self._opened.network.config, "text_config", None)
        ids, mask = side_by_side(values, int(getattr(config, "pad_token_id", None) or 0))
        device = self._opened.device
        said = self._opened.network.get_text_features(
            input_ids=torch.from_numpy(ids).to(device), attention_mask=torch.from_numpy(mask).to(device)
        )
        return Encoded(_vectors(said))


def open_dual_encoder(folder: Path, manifest: AdapterManifest) -> LaneModel:
    """Open the dual encoder of a manifest.

    Raises:
        SettingsError: the folder has another kind of model, or it does not fit into memory.
    """
    source = find_source(folder, manifest)
    opened = open_network(AutoModel, source, manifest.name)
    network = opened.network
    if not (hasattr(network, "get_image_features") and hasattr(network, "get_text_features")):
        raise SettingsError("model", str(source), f"a dual encoder; {type(network).__name__} has no two halves")
    width = int(getattr(network.config, "projection_dim", 0) or network.config.text_config.hidden_size)
    longest = int(getattr(network.config.text_config, "max_position_embeddings", manifest.max_tokens))
    tokens = TextTokens(source / manifest.tokenizer, min(manifest.max_tokens, longest))
    lanes: dict[str, LaneEncoder] = {
        "image": PictureEncoder(opened, manifest.image or read_preprocessing(source), width),
        "text": CaptionEncoder(opened, tokens, width),
    }
    own = getattr(network, "logit_scale", None)
    scale = manifest.scale or (float(own.exp()) if own is not None else 0.0)
    return LaneModel(manifest.name, manifest.version, lanes, read_labels(folder, manifest), manifest.prompt, scale)


def read_preprocessing(source: Path) -> ImageSettings:
    """Read size, mean and std from `preprocessor_config.json`; CLIP's where it is missing."""
    clip = ImageSettings(size=224, mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
    path = source / PREPROCESSING
    if not path.is_file():
        return clip
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        size = said.get("crop_size", said.get("size", clip.size))
        if isinstance(size, dict):
            size = size.get("height", size.get("shortest_edge"))
        mean, std = tuple(said.get("image_mean", clip.mean)), tuple(said.get("image_std", clip.std))
        return msgspec.convert({"size": size, "mean": mean, "std": std}, ImageSettings)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise SettingsError("model", str(path), f"size, image_mean and image_std ({error})") from error


def _vectors(said: Any) -> Vectors:
    """Older releases return the tensor, newer ones an output that holds it."""
    tensor = said if isinstance(said, torch.Tensor) else said.pooler_output
    return tensor.float().cpu().numpy()


class SentenceEncoder(TokenEncoder):
    """Mean of the last layer over the tokens that are there, or its first token (`pooling`: `mean`, `cls`)."""

    def __init__(self, opened: Opened, tokens: TextTokens, pooling: str) -> None:
        super().__init__(opened, tokens, int(opened.network.config.hidden_size))
        self._pooling = pooling

    @torch.inference_mode()
    def encode(self, values: Sequence[Any]) -> Encoded:
        """Texts as one batch."""
        pad = int(getattr(self._opened.network.config, "pad_token_id", None) or 0)
        ids, mask = (torch.from_numpy(part).to(self._opened.device) for part in side_by_side(values, pad))
        states = self._opened.network(input_ids=ids, attention_mask=mask).last_hidden_state  # [B, T, d]
        there = mask[:, :, None].to(states.dtype)
        pooled = states[:, 0] if self._pooling == "cls" else (states * there).sum(1) / there.sum(1)
        return Encoded(pooled.float().cpu().numpy())


def open_sentence_encoder(folder: Path, manifest: AdapterManifest) -> LaneModel:
    """Open the sentence encoder of a manifest: a text lane.

    Raises:
        SettingsError: the encoder does not fit into memory.
    """
    source = find_source(folder, manifest)
    opened = open_network(AutoModel, source, manifest.name)
    tokens = TextTokens(source / manifest.tokenizer, manifest.max_tokens)
    lanes: dict[str, LaneEncoder] = {"text": SentenceEncoder(opened, tokens, manifest.pooling)}
    return LaneModel(
        manifest.name, manifest.version, lanes, read_labels(folder, manifest), manifest.prompt, manifest.scale
    )
