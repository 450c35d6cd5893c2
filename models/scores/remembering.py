"""The reference model for many questions about the same media: each is encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.interface import Member, Prepared
from models.reference.model import ReferenceModel


class RememberingModel(ReferenceModel):
    """Answers as `ReferenceModel` does, since a set's answer depends on its members' features alone."""

    def __init__(self, folder: Path, device: str = "auto", *, fuse: bool = True) -> None:
        super().__init__(folder, device, fuse=fuse)
        self._seen: dict[int, tuple[Prepared, Tensor]] = {}
        """By the identity of prepared media: them, so that it stays theirs, and their feature."""

    def _encode(self, members: Sequence[Member]) -> Tensor:
        if not members:
            return super()._encode(members)
        new = {id(m.prepared): m for m in members if id(m.prepared) not in self._seen}
        if new:
            features = super()._encode(list(new.values()))
            self._seen |= {key: (m.prepared, f) for (key, m), f in zip(new.items(), features, strict=True)}
        return torch.stack([self._seen[id(m.prepared)][1] for m in members])
