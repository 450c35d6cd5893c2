"""The whole network: a branch a modality, and a Transformer that fuses what is there into one shared space."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models.reference.encoders import AudioEncoder, ImageEncoder, Speller, TextEncoder, masked_mean

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
    spelling of a text share; so an untaught word is heard and read alike. Pictures have no sound.
    """

    def __init__(self, n_state: int, n_heads: int, n_layers: int, n_modalities: int, dropout: float) -> None:
        super().__init__()
        self.modalities = nn.Embedding(2 * n_modalities, n_state)  # of meanings, then of sounds
        self.asker = nn.Parameter(torch.zeros(n_state))  # a further place, which gathers the answer
        self.enter = nn.ModuleList(nn.Linear(n_state, n_state) for _ in range(n_modalities + 1))  # the last: sounds
        self.layers = nn.ModuleList(Layer(n_state, n_heads, dropout) for _ in range(n_layers))
        self.out = nn.Sequential(nn.LayerNorm(n_state), nn.Linear(n_state, n_state))
        self.n_modalities = n_modalities

    def forward(self, features: Tensor, modality: Tensor, there: Tensor) -> Tensor:
        """The set's feature; `modality` and `there` are (B, N). An empty set has one too."""
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


LANES = ("image", "text", "audio")
"""The order of modalities in `Evidence` and in `trust`."""


class NetworkDimensions(msgspec.Struct, frozen=True):
    """All sizes of the network."""

    n_concepts: int
    n_vocab: int
    n_phones: int
    n_state: int = 192
    n_embed: int = 96
    n_mels: int = 64
    n_audio_channels: int = 160
    n_layers: int = 2
    n_heads: int = 4


class Evidence(msgspec.Struct):
    """The members of B sets, N places each: features (B, N, 2, n_state), modality (B, N), and what is there (B, N).

    A feature is what the member means by itself and how it sounds (0 for pictures).
    """

    features: Tensor
    modality: Tensor
    there: Tensor


class Sharpness(nn.Module):
    """How much cosines are stretched before a softmax; learned."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(16.0))


class ConceptTable(nn.Module):
    """A direction for each concept; features are compared with them."""

    def __init__(self, n_concepts: int, n_state: int) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(n_concepts, n_state) / math.sqrt(n_state))
        self.sharpness = nn.Parameter(torch.tensor(16.0))

    def forward(self, features: Tensor) -> Tensor:
        """Cosine to each concept, sharpened: (..., n_state) to logits (..., n_concepts)."""
        return self.sharpness * F.normalize(features, dim=-1) @ F.normalize(self.directions, dim=-1).T


class Branch(nn.Module):
    """One modality by itself: its encoder and its own table of concepts. Branches are trained apart.

    Speech has a speller too: how a text would sound, learned together with how speech does.
    """

    def __init__(self, lane: str, dimensions: NetworkDimensions, dropout: float) -> None:
        super().__init__()
        d = dimensions
        self.table = ConceptTable(d.n_concepts, d.n_state)
        if lane == "image":
            self.encoder = ImageEncoder(d.n_state, dropout).to(memory_format=torch.channels_last)  # 3x faster on CPUs
        elif lane == "text":
            self.encoder = TextEncoder(d.n_vocab, d.n_embed, d.n_state, dropout)
        else:
            self.encoder = AudioEncoder(d.n_mels, d.n_state, d.n_audio_channels, d.n_phones, dropout)
            self.speller = Speller(d.n_vocab, d.n_embed, d.n_state, dropout)
            self.match = Sharpness()


class Shares(nn.Module):
    """How much of a set's embedding is what it would be named, and how it sounds, beside what the Transformer makes.

    A name is worth much where the members are known things, a sound where they are untaught words: told by
    the fused feature, the best name's share, and how undecided the names are (entropy, 1 where all are alike).
    """

    def __init__(self, n_state: int) -> None:
        super().__init__()
        self.most = nn.Parameter(torch.tensor([2.0, 1.0]))
        self.gate = nn.Linear(n_state + 2, 2)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, 2.0)

    def forward(self, fused: Tensor, names: Tensor) -> Tensor:
        """Weights of name and sound (B, 2), for features (B, n_state) and probabilities (B, n_concepts)."""
        best = names.amax(-1, keepdim=True)
        undecided = -(names * names.clamp_min(1e-9).log()).sum(-1, keepdim=True) / math.log(max(2, names.shape[-1]))
        return self.most * self.gate(torch.cat([fused, best, undecided], -1)).sigmoid()


def kind_of(lanes: Sequence[Tensor]) -> Tensor:
    """The kind (B,) of each set, 0 to 7, from whether each of `LANES` is there, three of (B,): a bit a lane."""
    return sum((there.long() << lane for lane, there in enumerate(lanes)), torch.zeros_like(lanes[0], dtype=torch.long))


class ReferenceNetwork(nn.Module):
    """Branches, the fusion, and the shared table that its answers are compared with."""

    trust: Tensor
    """(8, 4): for each kind of set (`kind_of`), how far to trust each modality, in the order of `LANES`, and the
    Transformer; set on validation data."""
    trust_alone: Tensor
    """(3,): how far to trust each modality where nothing but their sum answers: what the fusion is compared with."""

    def __init__(self, dimensions: NetworkDimensions, dropout: float = 0.2) -> None:
        super().__init__()
        self.dimensions = d = dimensions
        self.branches = nn.ModuleDict({lane: Branch(lane, d, dropout) for lane in LANES})
        self.fusion = FusionTransformer(d.n_state, d.n_heads, d.n_layers, len(LANES), dropout)
        self.shared = ConceptTable(d.n_concepts, d.n_state)
        self.shares = Shares(d.n_state)
        self.register_buffer("trust", torch.ones(1 << len(LANES), len(LANES) + 1))
        self.register_buffer("trust_alone", torch.ones(len(LANES)))

    def encode(self, lane: str, *media: Tensor) -> Tensor:
        """Features (B, 2, n_state) of one modality's media, as its encoder takes them."""
        made = self.branches[lane].encoder(*media)  # pyright: ignore[reportCallIssue]
        if lane == "audio":
            return torch.stack(made, 1)
        sound = self.branches["audio"].speller(*media) if lane == "text" else torch.zeros_like(made)  # pyright: ignore[reportCallIssue]
        return torch.stack([made, sound], 1)

    def logits_alone(self, features: Tensor, lane: int) -> Tensor:
        """What members (..., 2, n_state) of one modality say by themselves: logits (..., n_concepts)."""
        return self.branches[LANES[lane]].table(features[..., 0, :])  # pyright: ignore[reportCallIssue]

    def alone(self, features: Tensor, lane: int) -> Tensor:
        """The same as calibrated log-probabilities."""
        return (self.trust_alone[lane] * self.logits_alone(features, lane)).log_softmax(-1)

    def fuse(self, evidence: Evidence) -> tuple[Tensor, Tensor]:
        """Log-probabilities (B, n_concepts) and embedding (B, n_state) of length 1.

        The base is what calibrated members that know nothing of each other give: the sum over modalities of the mean
        log-probability of that modality's members. The Transformer adds what it sees in all of them together, where
        validation showed that to help sets of that kind.

        The embedding is the sum of what the Transformer makes of the members, the mean of the concepts' directions,
        weighted by that base (Norouzi et al. 2014), and how the members sound: through concepts and sounds, media of
        different kinds lie together without the Transformer's having to learn them by heart.
        """
        fused = self.fusion(evidence.features, evidence.modality, evidence.there)  # [B, n_state]
        by_lane = [evidence.there & (evidence.modality == lane) for lane in range(len(LANES))]  # 3 of [B, N]
        trust = self.trust[kind_of([mine.any(-1) for mine in by_lane])]  # [B, 4]
        total, base = trust[:, -1:] * self.shared(fused), torch.zeros_like(fused[:, :1])
        for lane, mine in enumerate(by_lane):
            logits = self.logits_alone(evidence.features, lane)
            total = total + masked_mean((trust[:, lane, None, None] * logits).log_softmax(-1), mine)
            base = base + masked_mean((self.trust_alone[lane] * logits).log_softmax(-1), mine)
        names = base.softmax(-1)
        shares = self.shares(fused, names)
        name = shares[:, :1] * (names @ F.normalize(self.shared.directions, dim=-1))
        speaks = evidence.there & (evidence.modality != SILENT)
        sound = shares[:, 1:] * masked_mean(F.normalize(evidence.features[..., 1, :], dim=-1), speaks)
        return total.log_softmax(-1), F.normalize(F.normalize(fused, dim=-1) + name + sound, dim=-1)
