"""The reference model as a `Model`: media in; labels, an embedding and conversions out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.features import AUDIO, IMAGE, scale_log_mel
from models.folder import checked_bytes
from models.interface import Conversion, Fusion, Member, Modality, Model, Prepared
from models.reference.checkpoint import TOKENIZER, open_network, read_manifest
from models.reference.network import LANES, Evidence
from processors.audio import load_log_mel
from processors.image import load_pixels
from processors.text import Tokens, load_text
from processors.words import tag_words
from syncline.errors import MediaError

N_LABELS = 5
"""How many labels an answer holds, best first."""

MAX_TOKENS = 256
"""Tokens are characters; texts are cut there."""

AUDIO_CHUNK = 16
"""Clips of similar length run together, so that little is padding."""

CONVERSIONS = {"image": "caption", "audio": "transcript"}
"""Modality -> what its members are converted to."""


class ReferenceModel(Model):
    """CNN, GRU and conv net, fused by a Transformer.

    Args:
        folder (Path): a folder that `syncline model train` wrote.
        device (str): of torch; `auto` is CUDA if there is a GPU, else the CPU. Default `auto`.
        fuse (bool): False answers with the calibrated sum of what each modality says alone. Default True.

    Raises:
        SettingsError: the folder is broken.
    """

    def __init__(self, folder: Path, device: str = "auto", *, fuse: bool = True) -> None:
        manifest = read_manifest(folder)
        self.name, self.version, self.labels = manifest.name, manifest.version, manifest.labels
        checked_bytes(folder, TOKENIZER, manifest)
        self._tokens = Tokens(folder / TOKENIZER, MAX_TOKENS)
        self._device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        self.device = str(self._device)
        self._network = open_network(folder, manifest).to(self._device)
        if not fuse:
            self._network.trust.copy_(F.pad(self._network.trust_alone, (0, 1)))  # for sets of every kind

    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:
        """image: uint8 (3, 40, 40); audio: float32 (64, n_frames); text: int32 (n_tokens,) with its words."""
        if modality == "image":
            pixels = load_pixels(data, content_type, IMAGE)
            return Prepared(pixels, cost=IMAGE.size**2, n_bytes=pixels.nbytes)
        if modality == "audio":
            log_mel = scale_log_mel(load_log_mel(data, content_type, AUDIO))
            return Prepared(log_mel, cost=log_mel.shape[1] * AUDIO.hop_ms, n_bytes=log_mel.nbytes)
        if modality == "text":
            text = load_text(data, content_type)
            tokens = self._tokens(text)
            return Prepared(tokens, len(tokens), tokens.nbytes, tag_words(text, language))
        raise MediaError("modality_unknown", f"got {modality!r}, takes {', '.join(LANES)}")

    @torch.inference_mode()
    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """Answer each set. The members of a modality count as one together."""
        if not sets:
            return []
        members = [member for one in sets for member in one]
        modality = torch.tensor([LANES.index(m.modality) for m in members], dtype=torch.int64, device=self._device)
        features = self._encode(members)  # [n_members, 2, n_state]
        scores, embeddings = self._network.fuse(self._evidence(sets, features, modality))
        conversions = self._convert(members, features)
        best = scores.exp().topk(min(N_LABELS, len(self.labels)))
        answers: list[Fusion] = []
        at = 0
        rows = zip(sets, best.values.tolist(), best.indices.tolist(), embeddings.cpu().numpy(), strict=True)
        for one, values, indices, embedding in rows:
            labels = [(self.labels[i], value) for value, i in zip(values, indices, strict=True)]
            mine = [Conversion(i, *conversions[at + i]) for i in range(len(one)) if at + i in conversions]
            answers.append(Fusion(labels, embedding.astype(np.float32, copy=True), mine))
            at += len(one)
        return answers

    def warm_up(self) -> None:
        """Run a set of all lanes, so that the first event does not wait while kernels are chosen."""
        media: dict[str, np.ndarray] = {
            "image": np.zeros((3, IMAGE.size, IMAGE.size), np.uint8),
            "text": np.ones(1, np.int32),
            "audio": np.zeros((AUDIO.n_mels, 100), np.float32),
        }
        one = [Member(lane, lane, Prepared(media[lane])) for lane in LANES]
        for n_sets in (1, 8):
            self.run([one] * n_sets)

    def _encode(self, members: Sequence[Member]) -> Tensor:
        """Feature of each member, each modality in batches of its own."""
        out = torch.zeros(len(members), 2, self._network.shared.directions.shape[1], device=self._device)
        encoders = {"image": self._encode_images, "text": self._encode_texts, "audio": self._encode_audio}
        for lane, encode in encoders.items():
            mine = [i for i, member in enumerate(members) if member.modality == lane]
            if lane == "audio":
                mine.sort(key=lambda i: members[i].prepared.value.shape[1])
            for chunk in (mine[at : at + AUDIO_CHUNK] for at in range(0, len(mine), AUDIO_CHUNK)):
                out[chunk] = encode([members[i].prepared.value for i in chunk])
        return out

    def _encode_images(self, pixels: list[np.ndarray]) -> Tensor:
        batch = torch.from_numpy(np.stack(pixels)).to(self._device).float() / 127.5 - 1
        return self._network.encode("image", batch.contiguous(memory_format=torch.channels_last))

    def _encode_texts(self, tokens: list[np.ndarray]) -> Tensor:
        padded = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
        for row, ids in zip(padded, tokens, strict=True):
            row[: len(ids)] = ids
        return self._network.encode("text", torch.from_numpy(padded).to(self._device))

    def _encode_audio(self, clips: list[np.ndarray]) -> Tensor:
        lengths = [clip.shape[1] for clip in clips]
        padded = np.full((len(clips), AUDIO.n_mels, max(lengths)), -1, np.float32)
        for row, clip in zip(padded, clips, strict=True):
            row[:, : clip.shape[1]] = clip
        n_frames = torch.tensor(lengths, device=self._device)
        return self._network.encode("audio", torch.from_numpy(padded).to(self._device), n_frames)

    def _evidence(self, sets: Sequence[Sequence[Member]], features: Tensor, modality: Tensor) -> Evidence:
        """Members of each set side by side, padded to the largest set."""
        sizes = torch.tensor([len(one) for one in sets], device=self._device)
        n_places = max(1, int(sizes.max()))
        there = torch.arange(n_places, device=self._device) < sizes[:, None]  # [B, N]
        placed = torch.zeros(*there.shape, *features.shape[1:], device=self._device)
        placed[there] = features
        of = torch.zeros(there.shape, dtype=torch.int64, device=self._device)
        of[there] = modality
        return Evidence(placed, of, there)

    def _convert(self, members: Sequence[Member], features: Tensor) -> dict[int, tuple[str, str, float]]:
        """Index of a member -> kind, text and score of what it says by itself."""
        out: dict[int, tuple[str, str, float]] = {}
        for lane, kind in CONVERSIONS.items():
            mine = [i for i, member in enumerate(members) if member.modality == lane]
            best = self._network.alone(features[mine], LANES.index(lane)).max(-1)
            for i, score, label in zip(mine, best.values.exp().tolist(), best.indices.tolist(), strict=True):
                out[i] = (kind, self.labels[label], score)
        return out
