"""Training texts: labels and tags of each concept in both languages, as token ids; and the tokenizer for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from models.protocol import Concept, conditions

TWO_TEXTS_SHARE = 0.2
"""How often a training text is two texts of a concept, so that more than one word is no surprise."""

TYPOS_SHARE, TYPOS = 0.3, 0.4
"""How often a training text has typos, and how much of it is masked then, at most."""

FAIR_SHARE = 0.6
"""How often a training text is a fair tag; else a label or another tag. Evaluation's sets hold fair tags alone."""


def train_tokenizer(concepts: Sequence[Concept]) -> Tokenizer:
    """A tokenizer by character, of all that labels and tags hold; lower case, 0 pads, 1 is any other."""
    lines = [
        text.lower()
        for c in concepts
        for text in (c.label, c.label_zh, *c.tags_en, *c.tags_zh, *c.others_en, *c.others_zh)
    ]
    alphabet = [
        "[PAD]",
        "[UNK]",
        *sorted({conditions().mask, *"abcdefghijklmnopqrstuvwxyz 0123456789", *"".join(lines)}),
    ]
    tokenizer = Tokenizer(models.WordLevel({c: n for n, c in enumerate(alphabet)}, unk_token="[UNK]"))  # noqa: S106  # nosec B106  # a token of text, no secret
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return tokenizer


class TextSource:
    """The labels and tags of each concept, drawn by a generator."""

    def __init__(self, concepts: Sequence[Concept], tokenizer: Tokenizer, generator: torch.Generator) -> None:
        def ids(texts: Sequence[str]) -> list[list[int]]:
            return [tokenizer.encode(text).ids for text in texts]

        self._generator = generator
        self._fair = [ids([*c.tags_en, *c.tags_zh]) for c in concepts]
        self._others = [ids([c.label, c.label_zh, *c.others_en, *c.others_zh]) for c in concepts]
        self._labels = [ids([c.label, c.label_zh]) for c in concepts]
        self._space, self._mask = tokenizer.encode(" ").ids, tokenizer.encode(conditions().mask).ids[0]
        self.has_fair = torch.tensor([bool(tags) for tags in self._fair])

    def draw(self, concept: Tensor, fair_share: float = FAIR_SHARE, typos_share: float = TYPOS_SHARE) -> Tensor:
        """A text (or two) of each concept (B,), a fair tag where it has one: int64 (B, n_tokens), 0 past the end."""
        dice = torch.rand(3, len(concept), generator=self._generator).tolist()
        rows: list[list[int]] = []
        for c, fair, two, typos in zip(concept.tolist(), *dice, strict=True):
            row = self._text(c, fair < fair_share)
            row = row + self._space + self._text(c, fair < fair_share) if two < TWO_TEXTS_SHARE else row
            rows.append(self._mistyped(row) if typos < typos_share else row)
        return pad_tokens(rows)

    def labels(self, concept: Tensor, language: int) -> Tensor:
        """The labels in English (0) or Chinese (1): int64 (B, n_tokens), 0 past the end."""
        return pad_tokens([self._labels[c][language] for c in concept.tolist()])

    def _text(self, concept: int, fair: bool) -> list[int]:
        texts = (fair and self._fair[concept]) or self._others[concept]
        if texts is self._others[concept] and self._one_of(2) == 0:
            texts = self._labels[concept]  # of all other texts the one that is asked for most
        return texts[self._one_of(len(texts))]

    def _one_of(self, n: int) -> int:
        return int(torch.randint(n, (), generator=self._generator))

    def _mistyped(self, row: list[int]) -> list[int]:
        dice = torch.rand(len(row) + 1, generator=self._generator).tolist()
        return [self._mask if at < dice[-1] * TYPOS else token for token, at in zip(row, dice, strict=False)]


def pad_tokens(rows: Sequence[Sequence[int]]) -> Tensor:
    """Token ids of several texts to int64 (B, n_tokens), 0 past the end; at least one place."""
    out = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return out
