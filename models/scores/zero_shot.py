"""Finds concepts that a model never met: the nearest of the held-out labels to a clip or a picture, by cosine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.protocol import Concept, held_out
from models.reference.model import ReferenceModel
from models.scores.ask import Vectors, answer, embeddings, ranks
from models.scores.media import read_pictures, read_speech, read_texts
from models.scores.outcomes import Outcomes, write
from models.scores.sentences import Encode, apart, mix_sentences


def zero_shot(
    model: ReferenceModel, encode: Encode, corpus_dir: Path, concepts: Sequence[Concept], split: str
) -> dict[str, Outcomes]:
    """What was found: `speech` and `picture` by the model's own embedding of labels, `picture by sentences` by another.

    encode: the sentence encoder, in whose space a picture is what it looks like among the concepts that are known.
    """
    names = set(held_out().names)
    mine = [c for c in concepts if c.name in names]
    labels = [c.label for c in mine]
    media = {
        "audio": read_speech(model, corpus_dir, mine, split),
        "image": read_pictures(model, corpus_dir, mine, split),
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
