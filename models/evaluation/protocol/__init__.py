"""The protocol: what is trained on, chosen by and tested on. Reads the files of this folder.

`pictures.json` and `voices.json` map split to style or voice to family; no family is in two splits. `concepts.json`
lists the concepts with their texts, `texts.json` the one text of each for evaluation, drawn by seed. `held-out.json`
names the concepts that a zero-shot model never meets, `words.json` what else is spoken for training. `conditions.json`
says how media and texts are degraded, `altered-texts.json` holds the degraded texts.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

PROTOCOL_DIR = Path(__file__).parent
CORPUS_DIR = Path(__file__).resolve().parents[3] / "corpus"
"""Where the corpus is built: git ignores it."""
SPLITS = ("train", "validation", "test")
PAIRS = ("image+text", "image+audio", "text+audio")
"""What specialists know, one model each: two lanes."""


def specialist_folder(folder: Path, pair: str) -> Path:
    """The folder of a model's specialist."""
    return folder / "specialists" / pair


class Concept(msgspec.Struct, frozen=True):
    """One thing that can be seen, said and written about.

    Attributes:
        name (str): of its files.
        label (str): what English speech and results call it.
        label_zh (str): the same in Chinese.
        emoji (str): the character.
        group (int): emojibase's group.
        tags_en (list[str]): English texts about it without any word of its label, each shared by 3 to 30 concepts.
        tags_zh (list[str]): the same in Chinese.
        others_en (list[str]): its other English tags: trained on and searched by, but never fused in an evaluation.
        others_zh (list[str]): the same in Chinese.
    """

    name: str
    label: str
    label_zh: str
    emoji: str
    group: int
    tags_en: list[str]
    tags_zh: list[str]
    others_en: list[str] = []
    others_zh: list[str] = []


class Texts(msgspec.Struct, frozen=True):
    """The text of each concept for evaluation, by language: concept name to text, and concepts without one."""

    seed: int
    en: dict[str, str]
    zh: dict[str, str]
    without_en: list[str]
    without_zh: list[str]


class HeldOut(msgspec.Struct, frozen=True):
    """Names of the concepts of which a zero-shot model meets no picture, text or speech."""

    seed: int
    names: list[str]


class Conditions(msgspec.Struct, frozen=True):
    """How media and texts are degraded, by seed.

    Attributes:
        snr_db (float): white noise in speech, dB.
        sample_rate_hz (int): speech has the band of a telephone with this rate, Hz.
        covered_share (float): of a picture's pixels, by one rectangle.
        masked_share (float): of a text's characters, each replaced by `mask`.
    """

    seed: int
    snr_db: float
    sample_rate_hz: int
    covered_share: float
    masked_share: float
    mask: str


class AlteredTexts(msgspec.Struct, frozen=True):
    """By language, concept name to its text with typos, and to a conflicting text of another concept."""

    typos: dict[str, dict[str, str]]
    conflicting: dict[str, dict[str, str]]


@cache
def conditions() -> Conditions:
    """How media and texts are degraded."""
    return msgspec.json.decode((PROTOCOL_DIR / "conditions.json").read_bytes(), type=Conditions)


@cache
def altered_texts() -> AlteredTexts:
    """The texts with typos, and the conflicting ones."""
    return msgspec.json.decode((PROTOCOL_DIR / "altered-texts.json").read_bytes(), type=AlteredTexts)


@cache
def held_out() -> HeldOut:
    """The concepts for zero-shot."""
    return msgspec.json.decode((PROTOCOL_DIR / "held-out.json").read_bytes(), type=HeldOut)


@cache
def words() -> list[str]:
    """Words and phrases that are spoken for training: no labels, and no forms of words in held-out labels."""
    return msgspec.json.decode((PROTOCOL_DIR / "words.json").read_bytes(), type=list[str])


@cache
def concepts() -> list[Concept]:
    """All concepts, in the order of the model's outputs."""
    return msgspec.json.decode((PROTOCOL_DIR / "concepts.json").read_bytes(), type=list[Concept])


@cache
def texts() -> Texts:
    """The texts that evaluation uses."""
    return msgspec.json.decode((PROTOCOL_DIR / "texts.json").read_bytes(), type=Texts)


def styles(split: str) -> dict[str, str]:
    """The picture styles of a split, each with its family."""
    return _families("pictures.json")[split]


def voices(split: str) -> dict[str, str]:
    """The voices of a split, each with its family (one speaker, or one synthesiser for espeak)."""
    return _families("voices.json")[split]


def style_of(split: str) -> str:
    """The style that pictures of a split are evaluated in: its first."""
    return next(iter(styles(split)))


def voice_of(split: str) -> str:
    """The voice that speech of a split is evaluated in: its first."""
    return next(iter(voices(split)))


@cache
def _families(file_name: str) -> dict[str, dict[str, str]]:
    return msgspec.json.decode((PROTOCOL_DIR / file_name).read_bytes(), type=dict[str, dict[str, str]])


class Sentences(msgspec.Struct, frozen=True):
    """The sentences that the voice is trained, chosen and tested on, drawn once by `seed`.

    Attributes:
        train (list[str]): WordNet's examples; none shares five words in a row with a test sentence.
        validation (list[str]): the same, to choose a voice by.
        text (list[str]): test sentences from State of the Union addresses.
        unpredictable (list[str]): test sentences with grammar but no sense.
    """

    seed: int
    train: list[str]
    validation: list[str]
    text: list[str]
    unpredictable: list[str]


@cache
def sentences() -> Sentences:
    """The sentences of speech synthesis."""
    return msgspec.json.decode((PROTOCOL_DIR / "sentences.json").read_bytes(), type=Sentences)
