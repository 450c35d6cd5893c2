"""Is a model's answer one that may be published?"""

from __future__ import annotations

import math

import numpy as np

from models.protocol import Fusion


def check_answer(fusion: object, n_members: int) -> Fusion:
    """The answer, if a consumer can use it. Raises `ValueError` where it cannot, saying why.

    Scores are finite; the embedding is finite and has one dimension; each conversion names a member in
    [0, n_members) and has a score in [0, 1].
    """
    if not isinstance(fusion, Fusion):
        raise ValueError(f"the model gave a {type(fusion).__name__} instead of a Fusion")
    for label, score in fusion.labels:
        if not math.isfinite(score):
            raise ValueError(f"label {label!r} has score {score}")
    if fusion.embedding is not None:
        if fusion.embedding.ndim != 1:
            raise ValueError(f"the embedding has shape {fusion.embedding.shape} instead of (n_embd,)")
        if not np.isfinite(fusion.embedding).all():
            raise ValueError("the embedding holds values that are not finite")
    for conversion in fusion.conversions:
        if not 0 <= conversion.member < n_members:
            raise ValueError(f"a {conversion.kind} speaks of member {conversion.member} of {n_members}")
        if not 0 <= conversion.score <= 1:
            raise ValueError(f"a {conversion.kind} has score {conversion.score}, outside [0, 1]")
    return fusion
