"""The committed splits are honest: families apart, and no text that names its concept."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import pytest

from models.evaluation.protocol import (
    SPLITS,
    altered_texts,
    concepts,
    conditions,
    held_out,
    styles,
    texts,
    voices,
    words,
)
from models.training.corpus.concepts import (
    MAX_SHARED,
    MIN_SHARED,
    N_HELD_OUT,
    alter_texts,
    draw_held_out,
    draw_texts,
    fair_tags,
    fair_tags_zh,
    kin,
    variant_key,
)
from models.training.corpus.speech import N_VOICES, voices_of


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


def test_held_out_are_100_concepts() -> None:
    """A hundred names, each of a concept, in the concepts' order."""
    names = held_out().names
    assert len(names) == N_HELD_OUT
    assert names == [c.name for c in concepts() if c.name in set(names)]


def test_variants_are_held_out_together() -> None:
    """Of person, man and woman variants all are held out or none is."""
    names = set(held_out().names)
    out = {key: {variant_key(c.label) == key and c.name in names for c in concepts() if variant_key(c.label) == key}
           for key in {variant_key(c.label) for c in concepts()}}  # fmt: skip
    assert all(len(whether) == 1 for whether in out.values())


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("woman dancing", "man dancing", True),
        ("old man", "old woman", True),
        ("prince", "princess", True),
        ("man", "old man", False),
        ("person biking", "person running", False),
    ],
)
def test_variants_differ_in_who_alone(one: str, other: str, alike: bool) -> None:
    """Two concepts are variants when only the word for the person differs."""
    assert (variant_key(one) == variant_key(other)) is alike


def test_each_subgroup_has_its_share_held_out() -> None:
    """Drawing takes of every subgroup its share, up to one, as long as variants are single."""
    made = concepts()[:200]
    subgroup = {c.name: n % 10 for n, c in enumerate(made)}
    drawn = draw_held_out(made, subgroup, seed=3, n=40)
    assert len(drawn) == 40
    counts = Counter(subgroup[name] for name in drawn)
    assert all(2 <= counts[group] <= 6 for group in range(10))
    assert draw_held_out(made, subgroup, seed=3, n=40) == drawn != draw_held_out(made, subgroup, seed=4, n=40)


def test_spoken_words_give_no_held_out_label_away() -> None:
    """No spoken word is a label, nor holds a form of a word of a held-out label."""
    names = set(held_out().names)
    secret = {word for c in concepts() if c.name in names for word in re.findall(r"\w+", c.label.lower())}
    assert not {c.label.lower() for c in concepts()} & set(words())
    assert not [text for text in words() if any(kin(word, other) for word in text.split() for other in secret)]
    assert len(words()) == len(set(words())) == 3000


def test_words_are_spoken_by_training_voices() -> None:
    """Each word has three renditions in training's voices, and all of these voices have their turn."""
    said = [voice.removesuffix("~2") for number in range(60) for voice in voices_of(number)]
    assert len(said) == 60 * N_VOICES
    assert set(said) == set(voices("train"))


def test_altered_texts_are_those_of_their_seed() -> None:
    """Altering again with the committed seed gives the committed texts."""
    assert alter_texts(concepts(), texts(), conditions()) == altered_texts()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_typos_mask_their_share(language: str) -> None:
    """A text with typos is the text with 30 % of its letters masked, one at least, and nothing else changed."""
    plain, mask = getattr(texts(), language), conditions().mask
    typos = altered_texts().typos[language]
    assert typos.keys() == plain.keys()
    for name, text in typos.items():
        letters = sum(bool(re.match(r"\w", character)) for character in plain[name])
        assert all(a == b or b == mask for a, b in zip(plain[name], text, strict=True))
        changed = sum(a != b for a, b in zip(plain[name], text, strict=True))
        assert changed == max(1, round(0.3 * letters))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_conflicting_texts_belong_to_others(language: str) -> None:
    """A conflicting text is the text of another concept, and none of the concept's own tags or labels."""
    plain = getattr(texts(), language)
    conflicting = altered_texts().conflicting[language]
    assert conflicting.keys() == plain.keys()
    assert set(conflicting.values()) <= set(plain.values())
    for c in concepts():
        own = {*getattr(c, f"tags_{language}"), *getattr(c, f"others_{language}"), c.label, c.label_zh}
        assert conflicting.get(c.name) not in own


def test_conditions_are_those_of_the_protocol() -> None:
    """Noise at 0 dB, 8 kHz, 40 % of the picture covered, 30 % of the characters masked."""
    set_to = conditions()
    assert (set_to.snr_db, set_to.sample_rate_hz, set_to.covered_share, set_to.masked_share) == (0, 8000, 0.4, 0.3)
