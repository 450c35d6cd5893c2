"""The whole protocol for one model: sets of every kind under every condition, and retrieval in every direction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.interface import Fusion, Model
from models.protocol import Concept, altered_texts, conditions, texts
from models.scores.ask import KINDS, answer, embeddings, labels_found, retrieve
from models.scores.media import Media, read_pictures, read_speech, read_texts
from models.scores.outcomes import Outcomes

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
            pictures = read_pictures(model, corpus_dir, concepts, split, worse)
            self.media[condition] = {"image": pictures, "audio": read_speech(model, corpus_dir, concepts, split, worse)}

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
    """How often one who knows all fair tags, and nothing else, is right by the text: 1 / how many have that tag."""
    tags = [set(c.tags_en if language == "en" else c.tags_zh) for c in concepts]
    drawn = texts().en if language == "en" else texts().zh
    return [None if c.name not in drawn else 1 / sum(drawn[c.name] in of_other for of_other in tags) for c in concepts]
