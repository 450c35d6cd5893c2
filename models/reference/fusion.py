"""A small Transformer over the features of the members of a set, whatever members there are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

SILENT = 0
"""The modality without a sound: pictures (`network.LANES`)."""


class Layer(nn.Module):
    """Attention and a feed-forward part, each normalised first and added to its input."""

    def __init__(self, n_state: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attend_norm, self.think_norm = nn.LayerNorm(n_state), nn.LayerNorm(n_state)
        self.query_key_value = nn.Linear(n_state, 3 * n_state)
        self.attend_out = nn.Linear(n_state, n_state)
        self.think = nn.Sequential(
            nn.Linear(n_state, 2 * n_state), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * n_state, n_state)
        )

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(B, N, n_state) to the same; places that are not `there` (B, N) are not looked at."""
        n_batch, n_places, n_state = x.shape
        parts = self.query_key_value(self.attend_norm(x)).view(n_batch, n_places, 3, self.n_heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each [B, n_heads, N, n_state / n_heads]
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=there[:, None, None])
        x = x + self.attend_out(seen.transpose(1, 2).reshape(n_batch, n_places, n_state))
        return x + self.think(self.think_norm(x))


class FusionTransformer(nn.Module):
    """Members' features (B, N, 2, n_state), what they mean and how they sound, to one feature of the set (B, n_state).

    A member is two places: its meaning, entered by its own modality's way, and its sound, which speech and the
    spelling of a text share; so a word that nobody taught is heard and read alike. Pictures have no sound.
    """

    def __init__(self, n_state: int, n_heads: int, n_layers: int, n_modalities: int, dropout: float) -> None:
        super().__init__()
        self.modalities = nn.Embedding(2 * n_modalities, n_state)  # of meanings, then of sounds
        self.asker = nn.Parameter(torch.zeros(n_state))  # a place of its own that gathers the answer
        self.enter = nn.ModuleList(nn.Linear(n_state, n_state) for _ in range(n_modalities + 1))  # the last: sounds
        self.layers = nn.ModuleList(Layer(n_state, n_heads, dropout) for _ in range(n_layers))
        self.out = nn.Sequential(nn.LayerNorm(n_state), nn.Linear(n_state, n_state))
        self.n_modalities = n_modalities

    def forward(self, features: Tensor, modality: Tensor, there: Tensor) -> Tensor:
        """The set's feature; `modality` and `there` are (B, N). A set with nobody there is an answer too."""
        meaning, sound = F.layer_norm(features, features.shape[-1:]).unbind(2)
        meaning = self._enter(meaning, modality) + self.modalities(modality)
        sound = self.enter[-1](sound) + self.modalities(modality + self.n_modalities)
        x = torch.cat([self.asker.expand(len(meaning), 1, -1), meaning, sound], 1)  # [B, 1 + 2 N, n_state]
        seen = F.pad(torch.cat([there, there & (modality != SILENT)], 1), (1, 0), value=True)  # the asker is there
        for layer in self.layers:
            x = layer(x, seen)
        return self.out(x[:, 0])

    def _enter(self, features: Tensor, modality: Tensor) -> Tensor:
        """Each modality's features into the shared space, by its own way in."""
        ways = torch.stack([way(features) for way in self.enter[:-1]], 2)  # [B, N, n_modalities, n_state]
        return ways.gather(2, modality[:, :, None, None].expand(-1, -1, 1, features.shape[-1])).squeeze(2)
