"""The committed splits are honest: families apart, and no text that names its concept."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import pytest

from models.corpus.concepts import MAX_SHARED, MIN_SHARED, draw_texts, fair_tags, fair_tags_zh
from models.protocol import SPLITS, concepts, styles, texts, voices


@pytest.mark.parametrize("families", [styles, voices])
def test_no_family_is_in_two_splits(families: object) -> None:
    """A style or voice in training has no sibling in validation or test."""
    assert callable(families)
    of_split = [set(families(split).values()) for split in SPLITS]
    assert all(of_split)
    assert all(not a & b for a, b in combinations(of_split, 2))


def test_concepts_are_many_and_apart() -> None:
    """About 860 concepts, no two with one name or label."""
    assert 850 <= len(concepts()) <= 870
    assert len({c.name for c in concepts()}) == len({c.label for c in concepts()}) == len(concepts())


def test_no_text_holds_a_word_of_its_label() -> None:
    """Neither in training nor in evaluation does a text share a word (Chinese: a character) with the label."""
    for c in concepts():
        label_words = set(re.findall(r"\w+", c.label.lower()))
        for tag in c.tags_en:
            assert not label_words & set(re.findall(r"\w+", tag.lower())), (c.label, tag)
        for tag in c.tags_zh:
            assert not set(c.label_zh) & set(tag), (c.label_zh, tag)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_text_is_shared_by_3_to_30(language: str) -> None:
    """A text fits 3 to 30 concepts, so it can never settle alone which one is meant."""
    counts = Counter(tag for c in concepts() for tag in getattr(c, f"tags_{language}"))
    assert min(counts.values()) >= MIN_SHARED
    assert max(counts.values()) <= MAX_SHARED


@pytest.mark.parametrize("language", ["en", "zh"])
def test_evaluation_uses_fair_texts(language: str) -> None:
    """Each concept's evaluation text is one of its fair tags; those without are listed and have none."""
    drawn, without = getattr(texts(), language), getattr(texts(), f"without_{language}")
    tags = {c.name: getattr(c, f"tags_{language}") for c in concepts()}
    assert drawn.keys() | set(without) == tags.keys()
    assert not drawn.keys() & set(without)
    assert all(text in tags[name] for name, text in drawn.items())
    assert all(not tags[name] for name in without)


def test_texts_are_those_of_their_seed() -> None:
    """Drawing again with the committed seed gives the committed texts."""
    assert draw_texts(concepts(), texts().seed) == texts()


@pytest.mark.parametrize(
    ("label", "tags", "fair"),
    [
        ("grinning face", ["grin", "face", "happy", "smiling face"], ["happy"]),
        ("cat", ["cats", "catch", "pet"], ["pet"]),
        ("smiling face", ["smile", "joy"], ["joy"]),
        ("OK hand", ["ok", "HAND", "fine"], ["fine"]),
    ],
)
def test_forms_of_a_word_of_the_label_are_unfair(label: str, tags: list[str], fair: list[str]) -> None:
    """Other forms of a label's word give it away as well."""
    assert fair_tags(label, tags) == fair


def test_chinese_texts_share_no_character() -> None:
    """Chinese words have no sure border, so not even one character of the label may be there."""
    assert fair_tags_zh("山羊", ["羊肉", "黄道十二宫", "动物"]) == ["黄道十二宫", "动物"]
