"""Words become phones: by the lexicon, by names of letters, or by a guess."""

from __future__ import annotations

import pytest
import torch

from models.synthesis.pronunciation import (
    LETTER_NAMES,
    MAX_LETTERS,
    PAUSE,
    PHONES,
    SYMBOLS,
    Lexicon,
    SpellingNetwork,
    encode_letters,
    guess_phones,
    pack_lexicon,
    to_numbers,
    to_phones,
)
from tests.support.tiny_voice import WORDS


@pytest.fixture(scope="module")
def spelling() -> SpellingNetwork:
    """A spelling network that was never trained."""
    torch.manual_seed(0)
    return SpellingNetwork(8).eval()


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    """A lexicon of a few words."""
    return Lexicon(pack_lexicon(WORDS))


def test_lexicon_gives_back_what_was_packed(lexicon: Lexicon) -> None:
    """Every word is found with its phones, no other; the same words are packed to the same bytes."""
    assert {word: lexicon.find(word) for word in lexicon} == WORDS
    assert lexicon.find("unicorn") is None
    assert "unicorn" not in lexicon
    assert len(lexicon) == len(WORDS)
    assert pack_lexicon(WORDS) == pack_lexicon(dict(reversed(WORDS.items())))


def test_phones_are_numbered_apart() -> None:
    """Pause and phones have a number each, none of them padding's."""
    numbers = to_numbers([PAUSE, *PHONES])
    assert len(set(numbers)) == len(numbers) == len(SYMBOLS) - 1
    assert 0 not in numbers


@pytest.mark.parametrize(
    ("words", "phones"),
    [
        (["hello", PAUSE, "world"], "pau hh ax l ow pau w er l d pau"),
        (["the", "cat"], "pau dh ax k ae t pau"),
        (["the", "apple"], "pau dh iy ae p ax l pau"),
        (["the", "f."], "pau dh iy eh f pau"),
        (["cat's"], "pau k ae t s pau"),
        (["dog's"], "pau d ao g z pau"),
        (["fox's"], "pau f aa k s ax z pau"),
        (["x."], "pau eh k s pau"),
    ],
)
def test_known_words(words: list[str], phones: str, lexicon: Lexicon, spelling: SpellingNetwork) -> None:
    """Known words, their possessives and letters; `the` before a vowel is another."""
    assert to_phones(words, lexicon, spelling) == phones.split()


def test_every_letter_has_a_name() -> None:
    """Twenty-six letters, said in known phones."""
    assert sorted(LETTER_NAMES) == list("abcdefghijklmnopqrstuvwxyz")
    assert {phone for name in LETTER_NAMES.values() for phone in name.split()} <= set(PHONES)


def test_unknown_words_are_guessed(lexicon: Lexicon, spelling: SpellingNetwork) -> None:
    """A word that is not in the lexicon is spelled by the network, once for all its places."""
    (guess,) = guess_phones(spelling, ["unicorn"])
    assert guess
    assert to_phones(["unicorn", "cat", "unicorn"], lexicon, spelling) == [PAUSE, *guess, "k", "ae", "t", *guess, PAUSE]


def test_guess_does_not_depend_on_the_batch(spelling: SpellingNetwork) -> None:
    """A word is guessed alike alone and beside longer ones."""
    words = ["a", "unicorn", "rhododendron", "'"]
    assert guess_phones(spelling, words) == [guess_phones(spelling, [word])[0] for word in words]


def test_letters_are_bounded() -> None:
    """An endless word is cut, a word without letters is padding."""
    letters, n_letters = encode_letters(["x" * 1000, "123"])
    assert n_letters.tolist() == [MAX_LETTERS, 1]
    assert letters[1].tolist() == [0] * MAX_LETTERS
