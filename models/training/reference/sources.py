"""Draws pictures, speech and texts of the packed corpus, and augments them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.evaluation.protocol import Concept, conditions

GREY = torch.tensor([0.299, 0.587, 0.114])
WHITE_SHARE = 0.5
"""How often the background is white, as preprocessing makes it; else one colour or a gradient of two."""


class PictureSource:
    """Packed RGBA pictures, uint8 (n_concepts, n_styles, 4, H, W), drawn and changed by a generator."""

    def __init__(self, packed: Tensor, size: int, generator: torch.Generator) -> None:
        self._packed, self._size, self._generator = packed, size, generator

    def draw(self, concept: Tensor, strength: float = 1.0) -> Tensor:
        """A changed picture of each concept (B,) in a style drawn for it: float32 (B, 3, size, size) in [-1, 1]."""
        style = torch.randint(self._packed.shape[1], concept.shape, generator=self._generator)
        rgba = self._packed[concept, style].float() / 255
        solid = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)  # transparent pixels have no colour to smear
        turned = F.grid_sample(solid, self._grid(len(concept), strength), align_corners=False)
        pixels = turned[:, :3] + self._background(len(concept)) * (1 - turned[:, 3:])
        return self._worsen(self._recolour(pixels, strength), strength) * 2 - 1

    def _uniform(self, n: int, low: float, high: float) -> Tensor:
        return torch.empty(n).uniform_(low, high, generator=self._generator)

    def _grid(self, n: int, strength: float) -> Tensor:
        """Rotation up to 20 degrees, scale 0.8 to 1.3 (of the view), shear, shift up to 12 %, one in four mirrored."""
        angle = self._uniform(n, -1, 1) * math.radians(20) * strength
        wide = self._uniform(n, 0.8, 1.3) * torch.where(self._uniform(n, 0, 1) < 0.25, -1.0, 1.0)
        high = wide.abs() * self._uniform(n, 0.85, 1.18)
        shear = self._uniform(n, -0.12, 0.12)
        shift = torch.stack([self._uniform(n, -0.24, 0.24), self._uniform(n, -0.24, 0.24)], 1)
        top = torch.stack([wide * angle.cos(), shear - angle.sin() * high], 1)
        bottom = torch.stack([wide * angle.sin(), high * angle.cos()], 1)
        theta = torch.stack([top, bottom], 1)  # [n, 2, 2]
        return F.affine_grid(
            torch.cat([theta, shift[:, :, None]], 2), [n, 3, self._size, self._size], align_corners=False
        )

    def _background(self, n: int) -> Tensor:
        colours = torch.rand(n, 3, 2, generator=self._generator)
        colours[:, :, 1] += (colours[:, :, 0] - colours[:, :, 1]) * (self._uniform(n, 0, 1) < 0.5)[:, None]
        colours[self._uniform(n, 0, 1) < WHITE_SHARE] = 1
        slope = torch.linspace(0, 1, self._size)
        along = (colours[:, :, :1] * slope + colours[:, :, 1:] * (1 - slope))[:, :, None]  # [n, 3, 1, size]
        across = (self._uniform(n, 0, 1) < 0.5)[:, None, None, None]
        square = along.expand(-1, -1, self._size, -1)
        return torch.where(across, square, square.transpose(2, 3))

    def _recolour(self, pixels: Tensor, strength: float) -> Tensor:
        """Mix of channels, brightness, contrast; one in seven grey."""
        n = len(pixels)
        mix = torch.eye(3) + torch.randn(n, 3, 3, generator=self._generator) * 0.1 * strength
        grey = (self._uniform(n, 0, 1) < 0.15)[:, None, None]
        mix = torch.where(grey, GREY.expand(n, 3, 3), mix)
        pixels = torch.einsum("nij,njhw->nihw", mix, pixels)
        contrast = self._uniform(n, 0.7, 1.3)[:, None, None, None]
        return (pixels - 0.5) * contrast + 0.5 + self._uniform(n, -0.15, 0.15)[:, None, None, None]

    def _worsen(self, pixels: Tensor, strength: float) -> Tensor:
        """Blur, noise, and a hole in one of three."""
        n, size = len(pixels), self._size
        blur = self._uniform(n, -1, 1).clamp_min(0)[:, None, None, None] * strength
        pixels = pixels + blur * (F.avg_pool2d(pixels, 3, 1, 1, count_include_pad=False) - pixels)
        loud = self._uniform(n, -0.1, 0.1).clamp_min(0)[:, None, None, None] * strength
        pixels = pixels + loud * torch.randn(pixels.shape, generator=self._generator)
        at = torch.arange(size)
        inside = [(at[None] - self._uniform(n, 0, size)[:, None]).abs() < self._uniform(n, 3, 8)[:, None] for _ in "xy"]
        hole = inside[0][:, :, None] & inside[1][:, None] & (self._uniform(n, 0, 1) < 0.35)[:, None, None]
        return pixels.masked_fill(hole[:, None], 0.5).clamp(0, 1)


LONGEST_FRAMES = 320
"""Clips are cut to 3.2 s: only a few labels are longer."""

ALIKE = 6
"""Out of how many batches clips of one length are picked together."""


class SpeechSource:
    """Packed log-mel clips, as `models.training.corpus.arrays.pack_speech` writes them, drawn and changed by a
    generator.

    concept: what each clip says; clips with a negative one are never drawn.
    """

    RESUMED = ("_waiting",)

    def __init__(self, frames: Tensor, starts: Tensor, concept: Tensor, generator: torch.Generator) -> None:
        self._frames, self._starts, self._generator = frames, starts, generator
        n_concepts = int(concept.max()) + 1
        self._concept, self._waiting = concept, list[Tensor]()
        order = torch.argsort(concept, stable=True)
        self.clips = order[concept[order] >= 0].view(n_concepts, -1)  # [n_concepts, n_voices]

    def draw(self, concept: Tensor, strength: float = 1.0) -> tuple[Tensor, Tensor]:
        """A changed clip of each concept (B,) in a voice drawn for it: (B, n_mels, n_frames) in [-1, 1], lengths."""
        voice = torch.randint(self.clips.shape[1], concept.shape, generator=self._generator)
        return self._change(self.clips[concept, voice], strength)

    def draw_alike(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Concepts (n,) and changed clips of about one length, so that little is padding: (n,), log-mel, lengths."""
        if not self._waiting:
            clips = self.clips.flatten()
            clips = clips[torch.randint(len(clips), (n * ALIKE,), generator=self._generator)]
            longest_last = clips[(self._starts[clips + 1] - self._starts[clips]).argsort()]
            order = torch.randperm(ALIKE, generator=self._generator).tolist()
            self._waiting = [longest_last.view(ALIKE, n)[i] for i in order]
        clips = self._waiting.pop()
        return self._concept[clips], *self._change(clips, 1.0)

    def _change(self, clips: Tensor, strength: float) -> tuple[Tensor, Tensor]:
        log_mel, n_frames = self._warp(*self.gather(clips), strength)
        return self._mask(self._colour(log_mel, strength)), n_frames

    def gather(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """The clips as they are, silence (-1) after their end."""
        n_frames = (self._starts[clips + 1] - self._starts[clips]).clamp_max(LONGEST_FRAMES)
        out = torch.full((len(clips), len(self._frames), int(n_frames.max())), -1.0)
        for i, (start, n) in enumerate(zip(self._starts[clips].tolist(), n_frames.tolist(), strict=True)):
            out[i, :, :n] = self._frames[:, start : start + n].float() / 127.5 - 1
        return out, n_frames

    def _uniform(self, n: int, low: float, high: float) -> Tensor:
        return torch.empty(n).uniform_(low, high, generator=self._generator)

    def _warp(self, log_mel: Tensor, n_frames: Tensor, strength: float) -> tuple[Tensor, Tensor]:
        """Speed 0.75 to 1.3, start up to 0.2 s later, and a longer or shorter throat (bands moved by up to 15 %)."""
        n, n_mels, n_longest = log_mel.shape
        speed = 1 + self._uniform(n, -0.25, 0.3) * strength
        later = self._uniform(n, 0, 20)
        throat = 1 + self._uniform(n, -0.15, 0.15) * strength
        lengths = ((n_frames / speed) + later).long().clamp_max(LONGEST_FRAMES)
        time = (torch.arange(int(lengths.max()))[None] - later[:, None]) * speed[:, None]  # [n, new frames]
        band = torch.arange(n_mels)[None] * throat[:, None]  # [n, n_mels]
        x = (time + 0.5) / n_longest * 2 - 1
        y = (band + 0.5) / n_mels * 2 - 1
        grid = torch.stack([x[:, None].expand(-1, n_mels, -1), y[:, :, None].expand(-1, -1, x.shape[1])], 3)
        return F.grid_sample(log_mel[:, None] + 1, grid, align_corners=False)[:, 0] - 1, lengths

    def _colour(self, log_mel: Tensor, strength: float) -> Tensor:
        """A room and a microphone: a smooth change over the bands, and a noise floor at -60 to -14 dB."""
        n, n_mels, _ = log_mel.shape
        bends = torch.randn(n, 1, 6, generator=self._generator)
        tilt = F.interpolate(bends, n_mels, mode="linear", align_corners=True)[:, 0, :, None] * 0.12 * strength
        floor = self._uniform(n, -2.0, -0.25).clamp_min(-1.2)[:, None, None] + 2 * tilt.roll(1, 0)
        rough = torch.randn(log_mel.shape, generator=self._generator) * 0.08
        loud = torch.logaddexp((log_mel + tilt) * 7, (floor + rough) * 7) / 7  # the scale has 7 nepers to 1
        return (loud - loud.amax((1, 2), keepdim=True) + 1).clamp_min(-1)

    def _mask(self, log_mel: Tensor) -> Tensor:
        """Two bands of up to 8 and two moments of up to 12 frames are silenced (SpecAugment)."""
        n, n_mels, n_frames = log_mel.shape
        for _ in range(2):
            for dim, size, widest in ((1, n_mels, 8), (2, n_frames, 12)):
                start = self._uniform(n, 0, size)[:, None]
                at = torch.arange(size)[None]
                hidden = (at >= start) & (at < start + self._uniform(n, 0, widest)[:, None])
                log_mel = log_mel.masked_fill(hidden.unsqueeze(3 - dim), -1.0)
        return log_mel


TWO_TEXTS_SHARE = 0.2
"""How often a training text is two texts of a concept."""

TYPOS_SHARE, TYPOS = 0.3, 0.4
"""How often a training text has typos, and how much of it is masked then, at most."""

FAIR_SHARE = 0.6
"""How often a training text is a fair tag; else a label or another tag. Evaluation's sets hold fair tags alone."""


def train_tokenizer(concepts: Sequence[Concept]) -> Tokenizer:
    """A tokenizer by character, of all that labels and tags hold; lower case, 0 pads, 1 is any other."""
    lines = [
        text.lower()
        for c in concepts
        for text in (c.label, c.label_zh, *c.tags_en, *c.tags_zh, *c.others_en, *c.others_zh)
    ]
    alphabet = [
        "[PAD]",
        "[UNK]",
        *sorted({conditions().mask, *"abcdefghijklmnopqrstuvwxyz 0123456789", *"".join(lines)}),
    ]
    tokenizer = Tokenizer(models.WordLevel({c: n for n, c in enumerate(alphabet)}, unk_token="[UNK]"))  # noqa: S106  # nosec B106  # a token of text, no secret
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return tokenizer


class TextSource:
    """The labels and tags of each concept, drawn by a generator."""

    def __init__(self, concepts: Sequence[Concept], tokenizer: Tokenizer, generator: torch.Generator) -> None:
        def ids(texts: Sequence[str]) -> list[list[int]]:
            return [tokenizer.encode(text).ids for text in texts]

        self._generator = generator
        self._fair = [ids([*c.tags_en, *c.tags_zh]) for c in concepts]
        self._others = [ids([c.label, c.label_zh, *c.others_en, *c.others_zh]) for c in concepts]
        self._labels = [ids([c.label, c.label_zh]) for c in concepts]
        self._space, self._mask = tokenizer.encode(" ").ids, tokenizer.encode(conditions().mask).ids[0]

    def draw(self, concept: Tensor, fair_share: float = FAIR_SHARE, typos_share: float = TYPOS_SHARE) -> Tensor:
        """A text (or two) of each concept (B,), a fair tag where it has one: int64 (B, n_tokens), 0 past the end."""
        dice = torch.rand(3, len(concept), generator=self._generator).tolist()
        rows: list[list[int]] = []
        for c, fair, two, typos in zip(concept.tolist(), *dice, strict=True):
            row = self._text(c, fair < fair_share)
            row = row + self._space + self._text(c, fair < fair_share) if two < TWO_TEXTS_SHARE else row
            rows.append(self._mistyped(row) if typos < typos_share else row)
        return pad_tokens(rows)

    def labels(self, concept: Tensor, language: int) -> Tensor:
        """The labels in English (0) or Chinese (1): int64 (B, n_tokens), 0 past the end."""
        return pad_tokens([self._labels[c][language] for c in concept.tolist()])

    def _text(self, concept: int, fair: bool) -> list[int]:
        texts = (fair and self._fair[concept]) or self._others[concept]
        if texts is self._others[concept] and self._one_of(2) == 0:
            texts = self._labels[concept]  # of all other texts the one that is asked for most
        return texts[self._one_of(len(texts))]

    def _one_of(self, n: int) -> int:
        return int(torch.randint(n, (), generator=self._generator))

    def _mistyped(self, row: list[int]) -> list[int]:
        dice = torch.rand(len(row) + 1, generator=self._generator).tolist()
        return [self._mask if at < dice[-1] * TYPOS else token for token, at in zip(row, dice, strict=False)]


def pad_tokens(rows: Sequence[Sequence[int]]) -> Tensor:
    """Token ids of several texts to int64 (B, n_tokens), 0 past the end; at least one place."""
    out = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return out
