"""Training texts: the fair tags of each concept in both languages, as token ids; and the tokenizer for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from models.protocol import Concept

N_VOCAB = 3000
TWO_TAGS_SHARE = 0.3
"""How often a training text is two tags, so that more than one word is no surprise."""


def train_tokenizer(concepts: Sequence[Concept]) -> Tokenizer:
    """A byte-pair tokenizer over the words of labels and tags; lower case, Chinese parted by character, 0 pads."""
    pairs = models.BPE(unk_token="[UNK]")  # noqa: S106  # nosec B106  # a token of text, no secret
    tokenizer = Tokenizer(pairs)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=N_VOCAB, special_tokens=["[PAD]", "[UNK]"], show_progress=False, min_frequency=1
    )
    lines = [text for c in concepts for text in (c.label, c.label_zh, *c.tags_en, *c.tags_zh)]
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


class TextSource:
    """The fair tags of each concept, drawn by a generator."""

    def __init__(self, concepts: Sequence[Concept], tokenizer: Tokenizer, generator: torch.Generator) -> None:
        self._generator = generator
        self._ids = [[tokenizer.encode(tag).ids for tag in (*c.tags_en, *c.tags_zh)] for c in concepts]
        self.has_text = torch.tensor([bool(tags) for tags in self._ids])

    def draw(self, concept: Tensor) -> Tensor:
        """One tag (or two) of each concept (B,), which must have some: int64 (B, n_tokens), 0 past the end."""
        two = (torch.rand(len(concept), generator=self._generator) < TWO_TAGS_SHARE).tolist()
        rows = [self._tag(c) + (self._tag(c) if more else []) for c, more in zip(concept.tolist(), two, strict=True)]
        return pad_tokens(rows)

    def _tag(self, concept: int) -> list[int]:
        tags = self._ids[concept]
        return tags[int(torch.randint(len(tags), (), generator=self._generator))]


def pad_tokens(rows: Sequence[Sequence[int]]) -> Tensor:
    """Token ids of several texts to int64 (B, n_tokens), 0 past the end; at least one place."""
    out = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return out
