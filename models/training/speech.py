"""Training speech: drawn from the packed corpus, and changed so that other speakers sound familiar."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

LONGEST_FRAMES = 320
"""Clips are cut to 3.2 s: only a few labels are longer."""

ALIKE = 6
"""Out of how many batches clips of one length are picked together."""


class SpeechSource:
    """Packed log-mel clips, as `models.corpus.arrays.pack_speech` writes them, drawn and changed by a generator.

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
