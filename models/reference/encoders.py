"""One encoder a modality: media to a feature (batch, n_state) in the space that all share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (everybody's name for it)

N_VIEWS = 4
"""How many places of a clip are looked at, each with its own weights over time."""


class ResidualBlock(nn.Module):
    """Two 3-wide convolutions around which the input is added again; 1-D over time or 2-D over a picture."""

    def __init__(self, conv: type[nn.Conv1d] | type[nn.Conv2d], n_channels: int, dilation: int = 1) -> None:
        super().__init__()
        norm = nn.BatchNorm1d if conv is nn.Conv1d else nn.BatchNorm2d
        self.first = conv(n_channels, n_channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.second = conv(n_channels, n_channels, 3, padding=1, bias=False)
        self.first_norm, self.second_norm = norm(n_channels), norm(n_channels)

    def forward(self, x: Tensor, there: Tensor | float = 1.0) -> Tensor:
        """Same shape in and out; `there` (1, or 0 where a shorter item is padded) keeps padding at 0."""
        inner = F.relu(self.first_norm(self.first(x))) * there
        return F.relu(x + self.second_norm(self.second(inner))) * there


def _down(n_in: int, n_out: int, kernel: int = 3) -> nn.Sequential:
    """Halve height and width."""
    conv = nn.Conv2d(n_in, n_out, kernel, stride=2, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out), nn.ReLU())


class ImageEncoder(nn.Module):
    """A CNN: (B, 3, 40, 40) in [-1, 1] to (B, n_state)."""

    def __init__(self, n_state: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _down(3, 32, 5),  # 20 x 20
            _down(32, 64), ResidualBlock(nn.Conv2d, 64),  # 10 x 10
            _down(64, 128), ResidualBlock(nn.Conv2d, 128),  # 5 x 5
            _down(128, 256), ResidualBlock(nn.Conv2d, 256),  # 3 x 3
        )  # fmt: skip
        self.out = nn.Sequential(nn.BatchNorm1d(256), nn.Dropout(dropout), nn.Linear(256, n_state))

    def forward(self, pixels: Tensor) -> Tensor:
        """Feature of each picture."""
        return self.out(self.layers(pixels).mean((2, 3)))


class TextEncoder(nn.Module):
    """A convolution over five characters and a GRU both ways, (B, n_characters), 0 past the end, to (B, n_state).

    Characters, not words: a word that was never seen still is spelled like others, and sounds like it is spelled.
    """

    def __init__(self, n_vocab: int, n_embed: int, n_state: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_vocab, n_embed, padding_idx=0)
        self.near = nn.Conv1d(n_embed, n_state, 5, padding=2)
        self.gru = nn.GRU(n_state, n_state // 2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * n_state, n_state)

    def forward(self, tokens: Tensor) -> Tensor:
        """Feature of each text: mean and maximum over its characters of what the GRU says at them."""
        there = tokens > 0  # [B, n_characters]
        near = (
            F.relu(self.near(self.embed(tokens).transpose(1, 2))).transpose(1, 2).contiguous()
        )  # dropout draws in order
        lengths = there.sum(1).clamp_min(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(near), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=len(tokens[0]))
        return self.out(self.dropout(masked_mean_max(states, there)))


class Speller(nn.Module):
    """Convolutions over characters (B, n_characters), 0 past the end, to how a text sounds, (B, n_state).

    What stands within some letters of each other, wherever in the text: as `AudioEncoder.listen` hears speech. Sounds
    are matched piece by piece, so words that were never heard are matched too.
    """

    def __init__(self, n_vocab: int, n_embed: int, n_state: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_vocab, n_embed, padding_idx=0)
        self.near = nn.Conv1d(n_embed, n_state, 5, padding=2)
        self.block = ResidualBlock(nn.Conv1d, n_state)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * n_state, n_state)

    def forward(self, tokens: Tensor) -> Tensor:
        """How each text sounds."""
        there = tokens > 0  # [B, n_characters]
        mask = there.float()[:, None]
        x = self.block(F.relu(self.near(self.embed(tokens).transpose(1, 2))) * mask, mask)
        return self.out(self.dropout(masked_mean_max(x.transpose(1, 2), there)))


class AudioEncoder(nn.Module):
    """A conv net over log-mel (B, n_mels, n_frames) in [-1, 1] to what it means and how it sounds, (B, n_state) each.

    Past the end of a clip every layer sees 0, as it does past the end of the batch: a clip's answer does not depend
    on how long its neighbours are.
    """

    def __init__(self, n_mels: int, n_state: int, n_channels: int, n_phones: int, dropout: float) -> None:
        super().__init__()
        self.down = nn.ModuleList([_down(1, 16), _down(16, 32)])  # a quarter of the bands and frames
        self.enter = nn.Conv1d(32 * n_mels // 4, n_channels, 1)
        self.blocks = nn.ModuleList(ResidualBlock(nn.Conv1d, n_channels, dilation) for dilation in (1, 2, 4))
        self.weigh = nn.Conv1d(n_channels, N_VIEWS, 1)  # where in the clip to look
        self.phones = nn.Conv1d(n_channels, n_phones + 1, 1)  # training only: what is said at each step, 0 is nothing
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(N_VIEWS * n_channels, n_state)
        self.sound = nn.Linear(2 * n_channels, n_state)

    def steps(self, log_mel: Tensor, n_frames: Tensor) -> Tensor:
        """What is said every 4 frames: (B, n_channels, n_frames / 4)."""
        x = ((log_mel + 1) / 2 * _there(n_frames, log_mel.shape[2]))[:, None]  # 0 is silence
        for down in self.down:
            n_frames = (n_frames + 1) // 2
            x = down(x)
            x = x * _there(n_frames, x.shape[3])[:, None]  # [B, n_channels, n_mels / 2, n_frames / 2]
        there = _there(n_frames, x.shape[3])
        x = F.relu(self.enter(x.flatten(1, 2))) * there
        for block in self.blocks:
            x = block(x, there)
        return x

    def pool(self, steps: Tensor, n_frames: Tensor) -> Tensor:
        """Feature of each clip of `n_frames` (B,) of log-mel, from its steps."""
        there = _there(n_steps(n_frames), steps.shape[2]) > 0
        weights = self.weigh(steps).masked_fill(~there, -torch.inf).softmax(2)
        views = torch.einsum("bvt,bct->bvc", weights, steps).flatten(1)  # [B, N_VIEWS * n_channels]
        return self.out(self.dropout(views))

    def listen(self, steps: Tensor, n_frames: Tensor) -> Tensor:
        """How each clip sounds, from its steps: close to how its spelling sounds, whatever it means."""
        there = _there(n_steps(n_frames), steps.shape[2])[:, 0] > 0
        return self.sound(self.dropout(masked_mean_max(steps.transpose(1, 2), there)))

    def forward(self, log_mel: Tensor, n_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Feature of each clip, and how it sounds."""
        steps = self.steps(log_mel, n_frames)
        return self.pool(steps, n_frames), self.listen(steps, n_frames)


def n_steps(n_frames: Tensor) -> Tensor:
    """How many steps the conv net makes of `n_frames`: two halvings, each rounded up."""
    return (n_frames + 3) // 4


def masked_mean_max(x: Tensor, there: Tensor) -> Tensor:
    """Mean and maximum over dimension 1 of (B, N, D), where (B, N) is true: (B, 2 D); 0 where nowhere."""
    highest = x.masked_fill(~there[:, :, None], -torch.inf).amax(1)
    return torch.cat([masked_mean(x, there), highest.masked_fill(~there.any(1)[:, None], 0.0)], 1)


def masked_mean(x: Tensor, there: Tensor) -> Tensor:
    """Mean over dimension 1 of (B, N, D), where (B, N) is true; 0 where nowhere."""
    weights = there.to(x.dtype)[:, :, None]
    return (x * weights).sum(1) / weights.sum(1).clamp_min(1)


def _there(lengths: Tensor, n_longest: int) -> Tensor:
    """(B, 1, n_longest): 1 before each item's end, 0 after it."""
    return (torch.arange(n_longest, device=lengths.device) < lengths[:, None]).float()[:, None]
