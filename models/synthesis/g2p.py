"""Guesses how a word is said that is not in the lexicon: letters to phones by two BiGRU layers and CTC.

CTC: A. Graves et al., "Connectionist Temporal Classification" (ICML 2006). Each letter has two places for a phone or
none; a phone that stands in neighbouring places counts once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from models.synthesis.phones import PHONES

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
    """The likeliest phone of each place, blanks and repeats left out. Never empty: a word is at least a vowel."""
    if not words:
        return []
    letters, n_letters = encode_letters(words)
    best = network(letters, n_letters).argmax(-1)
    return [
        [PHONES[i - 1] for i in torch.unique_consecutive(row[: PLACES_A_LETTER * n]).tolist() if i != BLANK] or ["ax"]
        for row, n in zip(best, n_letters.tolist(), strict=True)
    ]
