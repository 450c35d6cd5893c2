"""Words to phones: from CMU's lexicon, by the names of letters, or guessed by the spelling network."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

PAUSE = "pau"
PHONES = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey", "f", "g", "hh", "ih", "iy", "jh",
    "k", "l", "m", "n", "ng", "ow", "oy", "p", "r", "s", "sh", "t", "th", "uh", "uw", "v", "w", "y", "z", "zh",
)  # fmt: skip
"""Phones of words, as festlex-cmu and flite write them."""

VOWELS = frozenset(("aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"))
SYMBOLS = ("", PAUSE, *PHONES)
"""Number -> what the network reads: 0 is padding, 1 the pause."""

_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS) if symbol}


def to_numbers(phones: Sequence[str]) -> list[int]:
    """Number phones and pauses for the network.

    Raises:
        KeyError: a phone is unknown.
    """
    return [_NUMBERS[phone] for phone in phones]


_FIRST = ord("0")
"""A phone is written as one character: `PHONES[0]` as this one, the next as the next."""


def pack_lexicon(words: Mapping[str, list[str]]) -> bytes:
    """Words with their phones to bytes: lines `word phones`, sorted, LZMA. The same words give the same bytes."""
    number = {phone: chr(_FIRST + i) for i, phone in enumerate(PHONES)}
    lines = [f"{word} {''.join(number[phone] for phone in phones)}\n" for word, phones in sorted(words.items())]
    return lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)


class Lexicon:
    """Knows the phones of the words in it, and of their possessives."""

    def __init__(self, packed: bytes) -> None:
        lines = lzma.decompress(packed).decode().splitlines()
        self._phones = dict(line.split(" ", 1) for line in lines)

    def __contains__(self, word: str) -> bool:
        return word in self._phones

    def __iter__(self) -> Iterator[str]:
        return iter(self._phones)

    def __len__(self) -> int:
        return len(self._phones)

    def find(self, word: str) -> list[str] | None:
        """The phones of a lower-case word; None for an unknown one."""
        coded = self._phones.get(word)
        return None if coded is None else [PHONES[ord(character) - _FIRST] for character in coded]


LETTERS = "abcdefghijklmnopqrstuvwxyz'"
MAX_LETTERS = 40
"""Longer words are cut: none in the lexicon is as long."""

PLACES_A_LETTER = 2
BLANK = 0


class SpellingNetwork(nn.Module):
    """Letters to scores of phones. `n_state`: of each GRU, a direction."""

    def __init__(self, n_state: int, n_layers: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS) + 1, n_state // 2, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(n_state // 2, n_state, n_layers, batch_first=True, dropout=dropout, bidirectional=True)
        self.out = nn.Linear(2 * n_state, PLACES_A_LETTER * (len(PHONES) + 1))

    def forward(self, letters: Tensor, n_letters: Tensor) -> Tensor:
        """int64 (n_batch, n_letters), 0 past the end, to log-probabilities (n_batch, 2 n_letters, 1 + n_phones)."""
        packed = pack_padded_sequence(
            self.dropout(self.embed(letters)), n_letters.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=letters.shape[1])
        scores = self.out(self.dropout(states))
        return scores.view(len(letters), -1, len(PHONES) + 1).log_softmax(-1)


def encode_letters(words: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Words in small letters to numbers (n_batch, n_letters) and how many each has; other characters are left out."""
    rows = [[LETTERS.index(c) + 1 for c in word if c in LETTERS][:MAX_LETTERS] or [0] for word in words]
    padded = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return padded, torch.tensor([len(row) for row in rows])


@torch.inference_mode()
def guess_phones(network: SpellingNetwork, words: Sequence[str]) -> list[list[str]]:
    """The likeliest phone of each place, without blanks and repeats. Never empty: a word is at least a vowel."""
    if not words:
        return []
    letters, n_letters = encode_letters(words)
    best = network(letters, n_letters).argmax(-1)
    return [
        [PHONES[i - 1] for i in torch.unique_consecutive(row[: PLACES_A_LETTER * n]).tolist() if i != BLANK] or ["ax"]
        for row, n in zip(best, n_letters.tolist(), strict=True)
    ]


LETTER_NAMES = {
    "a": "ey", "b": "b iy", "c": "s iy", "d": "d iy", "e": "iy", "f": "eh f", "g": "jh iy", "h": "ey ch", "i": "ay",
    "j": "jh ey", "k": "k ey", "l": "eh l", "m": "eh m", "n": "eh n", "o": "ow", "p": "p iy", "q": "k y uw",
    "r": "aa r", "s": "eh s", "t": "t iy", "u": "y uw", "v": "v iy", "w": "d ah b ax l y uw", "x": "eh k s",
    "y": "w ay", "z": "z iy",
}  # fmt: skip
_HISSING = frozenset(("s", "z", "sh", "zh", "ch", "jh"))
_VOICELESS = frozenset(("p", "t", "k", "f", "th"))


def to_phones(words: Sequence[str], lexicon: Lexicon, spelling: SpellingNetwork) -> list[str]:
    """Words as `normalise.to_words` gives them to phones, a pause first, last and where one stands among the words."""
    known = {word: _look_up(word, lexicon) for word in dict.fromkeys(words) if word != PAUSE}
    unknown = [word for word, phones in known.items() if phones is None]
    known |= dict(zip(unknown, guess_phones(spelling, unknown), strict=True))
    said = [[PAUSE] if word == PAUSE else known[word] or [] for word in words]
    phones = [PAUSE]
    for i, word in enumerate(words):
        follows = said[i + 1] if i + 1 < len(words) else []
        phones += ["dh", "iy"] if word == "the" and follows and follows[0] in VOWELS else said[i]
    return [*phones, PAUSE]


def _look_up(word: str, lexicon: Lexicon) -> list[str] | None:
    if word.endswith("."):
        return LETTER_NAMES[word[0]].split()
    found = lexicon.find(word)
    if found is None and word.endswith("'s"):
        stem = lexicon.find(word[:-2])
        return None if stem is None else [*stem, *_possessive(stem[-1])]
    if found is None and word.endswith("'"):
        return lexicon.find(word[:-1])
    return found


def _possessive(last: str) -> list[str]:
    if last in _HISSING:
        return ["ax", "z"]
    return ["s"] if last in _VOICELESS else ["z"]
