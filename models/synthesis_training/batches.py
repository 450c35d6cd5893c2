"""Draws batches of spoken sentences: of about one length, so that little of a batch is padding."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models.synthesis.phones import to_numbers
from models.synthesis_training.corpus import Split

_POOL = 8
"""Batches that are drawn together and then sorted by length."""


class Batch(NamedTuple):
    """phones and their frames, int64 (n_batch, n_phones), n_phones (n_batch,); log_mel (n_batch, n_frames, n_mels)."""

    phones: Tensor
    n_phones: Tensor
    frames: Tensor
    log_mel: Tensor


def batch_of(split: Split, chosen: list[int]) -> Batch:
    """The sentences with these numbers, padded with zeros."""
    phones = [torch.tensor(to_numbers(split.spoken[i].phones)) for i in chosen]
    frames = [torch.tensor(split.spoken[i].n_frames) for i in chosen]
    mels = [torch.from_numpy(split.log_mels[i]) for i in chosen]
    n_phones = torch.tensor([len(one) for one in phones])
    return Batch(*(pad_sequence(phones, True), n_phones, pad_sequence(frames, True), pad_sequence(mels, True)))


class Batches:
    """Batches without end: each sentence once a round, in an order drawn by `seed`."""

    RESUMED = ("_waiting",)

    def __init__(self, split: Split, n_batch: int, seed: int) -> None:
        self._split, self._n_batch = split, n_batch
        self._dice = torch.Generator().manual_seed(seed)
        self._lengths = torch.tensor([sum(spoken.n_frames) for spoken in split.spoken])
        self._waiting: list[list[int]] = []

    def draw(self) -> Batch:
        """The next batch."""
        if not self._waiting:
            self._waiting = self._round()
        return batch_of(self._split, self._waiting.pop(0))

    def _round(self) -> list[list[int]]:
        batches: list[list[int]] = []
        for pool in torch.randperm(len(self._lengths), generator=self._dice).split(self._n_batch * _POOL):
            parts = pool[self._lengths[pool].argsort(stable=True)].split(self._n_batch)
            batches += [parts[i].tolist() for i in torch.randperm(len(parts), generator=self._dice).tolist()]
        return batches
