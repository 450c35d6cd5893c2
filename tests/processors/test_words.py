"""Words in many scripts, and Chinese with its tags."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.words import tag_words


def words(text: str, language: str | None = None) -> list[str]:
    """The words without tags."""
    return [word for word, _ in tag_words(text, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The quick (“brown”) fox can’t jump 32.3 feet, right?", "The quick brown fox can’t jump 32.3 feet right"),
        ("don't 'quote' rock'n'roll dogs' ", "don't quote rock'n'roll dogs"),
        ("1,000,000.50 3:4 1. 2,", "1,000,000.50 3 4 1 2"),
        ("e.g. U.S.A. example.com", "e.g U.S.A example.com"),
        ("snake_case kebab-case a/b x+y", "snake_case kebab case a b x y"),
        ("naïve Größe ÅNGSTRÖM œuvre", "naïve Größe ÅNGSTRÖM œuvre"),
        ("Привет, мир! Γειά σου", "Привет мир Γειά σου"),
        ("हिन्दी में शब्द", "हिन्दी में शब्द"),
        ("שלום עולם مرحبا بالعالم", "שלום עולם مرحبا بالعالم"),
        ("한국어 단어", "한국어 단어"),
        ("カタカナとひらがな", "カタカナ とひらがな"),
        ("i7 v2beta 4K", "i7 v2beta 4K"),
        ("می\u200cخواهم so\u00adft", "می\u200cخواهم so\u00adft"),
        ("... !? -- \n\t", ""),
        ("", ""),
    ],
)
def test_words_of_many_scripts(text: str, expected: str) -> None:
    """Letters, marks and digits hold together, punctuation and spaces are left out."""
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("🐈🐕", ["🐈", "🐕"]),
        ("👩‍🚀 ok", ["👩‍🚀", "ok"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("❤️!", ["❤️"]),
        ("cat🐈cat", ["cat", "🐈", "cat"]),
    ],
)
def test_a_picture_sign_is_one_word(text: str, expected: list[str]) -> None:
    """With its joiners, skin tone and variation selector."""
    assert words(text) == expected


def test_chinese_is_segmented_and_tagged() -> None:
    """Pronoun, preposition, place, verb, noun."""
    tagged = tag_words("我们在北京看见猫。")
    assert [word for word, _ in tagged] == ["我们", "在", "北京", "看见", "猫"]
    assert [tag for _, tag in tagged] == ["r", "p", "ns", "v", "n"]


def test_mixed_text_is_taken_by_script() -> None:
    """Only the Chinese words carry tags."""
    assert tag_words("我爱Python 3.11，你呢?") == (
        ("我", "r"), ("爱", "v"), ("Python", ""), ("3.11", ""), ("你", "r"), ("呢", "y"),
    )  # fmt: skip


@pytest.mark.parametrize("language", ["ja", "ja-JP", "ko"])
def test_japanese_and_korean_are_not_cut_as_chinese(language: str) -> None:
    """A run of Chinese characters is one word without a tag there."""
    assert tag_words("東京大学で", language) == (("東京大学", ""), ("で", ""))


@given(st.text(max_size=80))
def test_words_stand_in_the_text_in_order(text: str) -> None:
    """Each word is a piece of the text, none overlaps another, and no letter or digit outside is left."""
    at, rest = 0, ""
    for word, _ in tag_words(text):
        found = text.find(word, at)
        assert found >= at
        assert word
        rest += text[at:found]
        at = found + len(word)
    assert not any(unicodedata.category(char)[0] in "LN" for char in rest + text[at:])


@given(st.text("猫狗我们在北京天上〇々㐀𠀀", max_size=60))
def test_chinese_words_make_up_the_whole_run(text: str) -> None:
    """Nothing is lost between the words, and rare characters do no harm."""
    assert "".join(words(text)) == text


@pytest.mark.parametrize("between", ["，", " ", "'", "。\n", "/"])
def test_no_chinese_word_reaches_over_what_parts_it(between: str) -> None:
    """你，好 is not 你好: what stands on two sides of punctuation is parted already."""
    for left, right in (("你", "好"), ("中华人民", "共和国"), ("北", "京")):
        assert tag_words(left + between + right) == tag_words(left) + tag_words(right)
