"""Checks that a model's answer can be published: encoded, sent and read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, get_args

import numpy as np

from models.interface import Conversion, Fusion
from syncline.errors import ContractError
from syncline.wire.arrays import from_numpy
from syncline.wire.converted import TextKind

MAX_ANSWER_BYTES = 512 * 1024
"""Limit of one set's embedding, labels and texts: with the members, a result stays below the topics' 1 MiB."""
_KINDS: tuple[str, ...] = get_args(TextKind)


def check_answer(fusion: object, n_members: int) -> Fusion:
    """Check an answer and make its scores plain floats. Raises `ValueError`.

    Labels must be text and scores finite numbers. The embedding must be finite, one-dimensional and of a dtype of the
    contract. Each conversion must be a caption or a transcript of a member in [0, n_members), with a score in [0, 1].
    """
    if not isinstance(fusion, Fusion):
        raise ValueError(f"the model gave a {type(fusion).__name__} instead of a Fusion")
    labels = [_label(label) for label in _items(fusion.labels, "labels")]
    conversions = [_conversion(one, n_members) for one in _items(fusion.conversions, "conversions")]
    texts = [*(name for name, _ in labels), *(one.text for one in conversions)]
    n_bytes = sum(_n_bytes(text) for text in texts) + _check_embedding(fusion.embedding)
    if n_bytes > MAX_ANSWER_BYTES:
        raise ValueError(f"the model's answer has {n_bytes} bytes, at most {MAX_ANSWER_BYTES} can be published")
    return Fusion(labels, fusion.embedding, conversions)


def _items(values: Iterable[Any], what: str) -> list[Any]:
    try:
        return list(values)
    except TypeError as error:
        raise ValueError(f"the model gave a {type(values).__name__} for its {what}") from error


def _label(label: Any) -> tuple[str, float]:
    parts: list[Any] = list(label) if isinstance(label, tuple | list) else []  # pyright: ignore[reportUnknownArgumentType]
    if len(parts) != 2:
        raise ValueError(f"label {label!r:.100} is no (text, score)")
    name, score = parts
    if not isinstance(name, str):
        raise ValueError(f"label {name!r:.100} is no text")
    return name, _score(score, f"label {name!r:.100}")


def _score(score: Any, of: str) -> float:
    if isinstance(score, bool) or not isinstance(score, Real) or not math.isfinite(score):
        raise ValueError(f"{of} has score {score!r:.100}")
    return float(score)


def _check_embedding(values: Any) -> int:
    """Check an embedding; return its size in bytes."""
    if values is None:
        return 0
    if type(values) is not np.ndarray:
        raise ValueError(f"the embedding is a {type(values).__name__} instead of an array")
    if values.ndim != 1:
        raise ValueError(f"the embedding has shape {values.shape} instead of (n_embd,)")
    try:
        array = from_numpy(values)
    except ContractError as error:
        raise ValueError(f"the embedding cannot be published: {error.detail}") from error
    if not np.isfinite(values).all():
        raise ValueError("the embedding holds values that are not finite")
    return array.data.nbytes


def _conversion(said: Any, n_members: int) -> Conversion:
    if not isinstance(said, Conversion):
        raise ValueError(f"the model gave a {type(said).__name__} for a conversion")
    kind, text = _untyped(said.kind), _untyped(said.text)
    member: Any = int(said.member) if isinstance(_untyped(said.member), np.integer) else said.member
    if kind not in _KINDS:
        raise ValueError(f"a conversion is a {kind!r:.100} instead of one of {', '.join(_KINDS)}")
    if not isinstance(text, str):
        raise ValueError(f"a {kind} is a {type(text).__name__} instead of text")
    if not isinstance(member, int) or not 0 <= member < n_members:
        raise ValueError(f"a {kind} speaks of member {member!r:.100} of {n_members}")
    score = _score(said.score, f"a {kind}")
    if not 0 <= score <= 1:
        raise ValueError(f"a {kind} has score {score}, outside [0, 1]")
    return Conversion(member, kind, text, score)


def _untyped(value: Any) -> Any:
    """Forget a value's declared type, which a model may not keep to."""
    return value


def _n_bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"the model gave a text that is no Unicode: {text!r:.100}") from error
