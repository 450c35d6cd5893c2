"""Puts sets and queries to a model's `run`, and ranks the right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.evaluation.figures import ranks_among
from models.evaluation.scores.answers_found import N_RANKS, Outcomes, write
from models.evaluation.scores.conditions import Media
from models.interface import Fusion, Member, Model, Prepared
from models.reference.model import ReferenceModel

KINDS = ("image", "text", "audio", "image+text", "image+audio", "text+audio", "image+text+audio")
BATCH = 32

Vectors = npt.NDArray[np.float32]
"""Embeddings (n, n_embedding) of length 1; a row of NaN where there is none."""


def answer(model: Model, media: Mapping[str, Media], kind: str) -> list[Fusion | None]:
    """Ask about each concept's set of the lanes in `kind` (`image+text`); None where one of them is missing."""
    lanes = kind.split("+")
    n = len(media[lanes[0]])
    there = [i for i in range(n) if all(media[lane][i] is not None for lane in lanes)]
    out: list[Fusion | None] = [None] * n
    for at in range(0, len(there), BATCH):
        some = there[at : at + BATCH]
        sets = [[Member(lane, lane, one) for lane in lanes if (one := media[lane][i]) is not None] for i in some]
        for i, fusion in zip(some, model.run(sets), strict=True):
            out[i] = fusion
    return out


def labels_found(answers: Sequence[Fusion | None], labels: Sequence[str]) -> Outcomes:
    """The rank of the right label among the answered ones."""

    def rank(fusion: Fusion, label: str) -> int:
        names = [name for name, _ in fusion.labels]
        return names.index(label) if label in names else N_RANKS

    return write([None if f is None else rank(f, label) for f, label in zip(answers, labels, strict=True)])


def embeddings(answers: Sequence[Fusion | None]) -> Vectors:
    """The embeddings of answers."""
    size = next(fusion.embedding.shape[0] for fusion in answers if fusion is not None and fusion.embedding is not None)
    empty = np.full(size, np.nan, np.float32)
    return np.stack([empty if f is None or f.embedding is None else f.embedding for f in answers])


def ranks(queries: Vectors, among: Vectors, right: Sequence[int]) -> list[int]:
    """How many of `among` (M, D) are as near to each query (N, D) as the right one, itself not counted."""
    return ranks_among(queries @ among.T, right).tolist()


def retrieve(lanes: Mapping[str, Vectors], texts: Sequence[str | None]) -> dict[str, tuple[Outcomes, int]]:
    """Retrieve in all six directions between image, text and audio.

    Args:
        lanes (Mapping[str, Vectors]): lane to embeddings (n_concepts, D).
        texts (Sequence[str | None]): the words of the text lane; equal texts are one thing to find, concepts without
            one are left out.

    Returns:
        dict[str, tuple[Outcomes, int]]: by direction the outcomes, and how many things there were to choose from.
    """
    there = [i for i, text in enumerate(texts) if text is not None]
    unique = sorted({texts[i] or "" for i in there})
    with_text = [next(i for i in there if texts[i] == text) for text in unique]
    out: dict[str, tuple[Outcomes, int]] = {}
    for source, target in ((a, b) for a in lanes for b in lanes if a != b):
        asked = there if "text" in (source, target) else list(range(len(texts)))
        sought = with_text if target == "text" else asked
        right = [unique.index(texts[i] or "") for i in asked] if target == "text" else list(range(len(asked)))
        of: dict[int, int] = dict(zip(asked, ranks(lanes[source][asked], lanes[target][sought], right), strict=True))
        out[f"{source} to {target}"] = write([of.get(i) for i in range(len(texts))]), len(sought)
    return out


class RememberingModel(ReferenceModel):
    """A `ReferenceModel` that encodes each medium once: answers depend on the members' features only."""

    def __init__(self, folder: Path, device: str = "auto", *, fuse: bool = True) -> None:
        super().__init__(folder, device, fuse=fuse)
        self._seen: dict[int, tuple[Prepared, Tensor]] = {}
        """id(prepared) to the prepared media (which keeps the id theirs) and their feature."""

    def _encode(self, members: Sequence[Member]) -> Tensor:
        if not members:
            return super()._encode(members)
        new = {id(m.prepared): m for m in members if id(m.prepared) not in self._seen}
        if new:
            features = super()._encode(list(new.values()))
            self._seen |= {key: (m.prepared, f) for (key, m), f in zip(new.items(), features, strict=True)}
        return torch.stack([self._seen[id(m.prepared)][1] for m in members])
