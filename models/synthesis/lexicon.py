"""How words are said: a list of words with their phones, from CMU's dictionary."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping

from models.synthesis.phones import PHONES

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
        """The phones of a word in small letters, None where it is not known."""
        coded = self._phones.get(word)
        return None if coded is None else [PHONES[ord(character) - _FIRST] for character in coded]
