"""The synthesiser's network: an autoencoder of mel spectrograms whose decoder is also driven from phones.

    mel ──► MelEncoder ──► latent ─────────────┐
                                               ├──► Decoder ──► mel
    phones ─► TextEncoder ─► regulate ─► Prior ┘
                        └─► durations

At synthesis the mel encoder is not used. Length regulator: Y. Ren et al., "FastSpeech" (NeurIPS 2019).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.synthesis.mel import N_MELS
from models.synthesis.pronunciation import SYMBOLS


def mask_of(lengths: Tensor, n_steps: int) -> Tensor:
    """bool (n_batch, n_steps): True where a step is within its sequence."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


class ConvBlock(nn.Module):
    """x + W relu(conv(norm(x))): past its end a sequence is zeros, as beyond the edge of a tensor."""

    def __init__(self, n_channels: int, kernel: int = 5, dilation: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)
        self.conv = nn.Conv1d(
            n_channels, n_channels, kernel, padding=dilation * (kernel - 1) // 2, dilation=dilation
        )  # fmt: skip
        self.out = nn.Linear(n_channels, n_channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (n_batch, n_steps, n_channels), mask bool (n_batch, n_steps) to the same shape as x."""
        inner = self.norm(x) * mask[..., None]
        inner = self.conv(inner.mT).mT
        return (x + self.dropout(self.out(nn.functional.relu(inner)))) * mask[..., None]


class ConvStack(nn.Module):
    """Convolutions one after the other, from `n_in` to `n_channels`; `dilations` says how wide each one looks."""

    def __init__(
        self, n_in: int, n_channels: int, dilations: tuple[int, ...], kernel: int = 5, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.into = nn.Linear(n_in, n_channels)
        self.blocks = nn.ModuleList(ConvBlock(n_channels, kernel, dilation, dropout) for dilation in dilations)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(n_batch, n_steps, n_in) to (n_batch, n_steps, n_channels)."""
        x = self.into(x) * mask[..., None]
        for block in self.blocks:
            x = block(x, mask)
        return x


class BiGru(nn.Module):
    """A GRU in both directions that stops at each sequence's end; `n_channels` in and out."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.gru = nn.GRU(n_channels, n_channels // 2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(n_batch, n_steps, n_channels), int64 (n_batch,) to the same shape as x."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]


STRIDE = 2
"""Frames to a step of latents: half as many steps cost half the time and say the same."""

MAX_PHONE_FRAMES = 80
"""No phone lasts longer than a second, whatever the duration head says."""


class VoiceDimensions(msgspec.Struct, frozen=True):
    """The sizes of the network. n_state: channels of text and decoder; n_latent: of the autoencoder's middle."""

    n_state: int = 192
    n_latent: int = 48
    n_spelling: int = 192


class Spoken(NamedTuple):
    """What the network says: log-mels (n_batch, n_frames, N_MELS) of n_frames, int64 (n_batch,)."""

    mel: Tensor
    n_frames: Tensor


class PhoneEncoder(nn.Module):
    """Phones to states, one each, that know their neighbours: convolutions, then a BiGRU."""

    def __init__(self, n_state: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(SYMBOLS), n_state, padding_idx=0)
        self.convs = ConvStack(n_state, n_state, (1, 1, 1), dropout=dropout)
        self.gru = BiGru(n_state)

    def forward(self, phones: Tensor, n_phones: Tensor) -> Tensor:
        """int64 (n_batch, n_phones) to (n_batch, n_phones, n_state)."""
        mask = mask_of(n_phones, phones.shape[1])
        states = self.convs(self.embed(phones), mask)
        return (states + self.gru(states, n_phones)) * mask[..., None]


class DurationHead(nn.Module):
    """States to the natural logarithm of each phone's frames."""

    def __init__(self, n_state: int, dropout: float) -> None:
        super().__init__()
        self.convs = ConvStack(n_state, n_state, (1, 1), kernel=3, dropout=dropout)
        self.out = nn.Linear(n_state, 1)

    def forward(self, states: Tensor, n_phones: Tensor) -> Tensor:
        """(n_batch, n_phones, n_state) to (n_batch, n_phones)."""
        return self.out(self.convs(states, mask_of(n_phones, states.shape[1]))).squeeze(-1)


class SpeechNetwork(nn.Module):
    """All of it; `mel_mean` and `mel_scale` (N_MELS,) bring log-mels to mean 0 and deviation 1."""

    mel_mean: Tensor
    mel_scale: Tensor

    def __init__(self, sizes: VoiceDimensions, dropout: float = 0.0) -> None:
        super().__init__()
        n_state, n_latent = sizes.n_state, sizes.n_latent
        self.register_buffer("mel_mean", torch.zeros(N_MELS))
        self.register_buffer("mel_scale", torch.ones(N_MELS))
        self.text = PhoneEncoder(n_state, dropout)
        self.duration = DurationHead(n_state, dropout)
        self.place = nn.Linear(3, n_state)
        self.prior = ConvStack(n_state, n_state, (1, 2, 4, 1), kernel=3)
        self.to_latent = nn.Linear(n_state, n_latent)
        self.mel_encoder = ConvStack(STRIDE * N_MELS, n_state, (1, 2), kernel=3)
        self.mel_to_latent = nn.Linear(n_state, n_latent)
        self.decoder = ConvStack(n_latent, n_state, (1, 2, 4, 2, 1), kernel=3)
        self.to_mel = nn.Linear(n_state, STRIDE * N_MELS)

    def encode_mel(self, mel: Tensor, n_frames: Tensor) -> Tensor:
        """Scaled mel (n_batch, n_frames, N_MELS) to latents (n_batch, n_steps, n_latent) within -1 and 1."""
        mask = mask_of(n_steps_of(n_frames), -(-mel.shape[1] // STRIDE))
        inside = mel * mask_of(n_frames, mel.shape[1])[..., None]
        return self.mel_to_latent(self.mel_encoder(_by_steps(inside).flatten(2), mask)).tanh() * mask[..., None]

    def predict_latent(self, states: Tensor, frames: Tensor) -> Tensor:
        """States of phones and the frames of each, int64 (n_batch, n_phones), to latents as `encode_mel` gives them."""
        spread, places = (_by_steps(values).mean(2) for values in regulate(states, frames))
        mask = mask_of(n_steps_of(frames.sum(1)), spread.shape[1])
        hidden = self.prior(spread + self.place(places), mask)
        return self.to_latent(hidden).tanh() * mask[..., None]

    def decode(self, latent: Tensor, n_frames: Tensor) -> Tensor:
        """Latents to a scaled mel (n_batch, n_frames, N_MELS), zeros past the end."""
        mask = mask_of(n_steps_of(n_frames), latent.shape[1])
        mel = self.to_mel(self.decoder(latent, mask)).view(len(latent), -1, N_MELS)[:, : int(n_frames.max())]
        return mel * mask_of(n_frames, mel.shape[1])[..., None]

    @torch.inference_mode()
    def speak(self, phones: Tensor, n_phones: Tensor, frames: Tensor | None = None) -> Spoken:
        """Phones to log-mels; `frames` of each phone where the duration head shall not say them."""
        states = self.text(phones, n_phones)
        if frames is None:
            frames = frames_of(self.duration(states, n_phones)) * mask_of(n_phones, phones.shape[1])
        n_frames = frames.sum(1)
        return Spoken(self.unscale(self.decode(self.predict_latent(states, frames), n_frames)), n_frames)

    @torch.inference_mode()
    def copy(self, log_mel: Tensor) -> Tensor:
        """One log-mel (n_frames, N_MELS) through encoder and decoder."""
        n_frames = torch.tensor([len(log_mel)])
        return self.unscale(self.decode(self.encode_mel(self.scale(log_mel[None]), n_frames), n_frames))[0]

    def scale(self, log_mel: Tensor) -> Tensor:
        """Log-mels (..., N_MELS) to what the network works on."""
        return (log_mel - self.mel_mean) / self.mel_scale

    def unscale(self, scaled: Tensor) -> Tensor:
        """And back."""
        return scaled * self.mel_scale + self.mel_mean


def frames_of(log_frames: Tensor) -> Tensor:
    """Logarithms of durations to whole frames, at least one each."""
    return log_frames.exp().round().clamp(1, MAX_PHONE_FRAMES).long()


def n_steps_of(n_frames: Tensor) -> Tensor:
    """How many steps of latents so many frames take."""
    return (n_frames + STRIDE - 1) // STRIDE


def _by_steps(values: Tensor) -> Tensor:
    """(n_batch, n_frames, n) to (n_batch, n_steps, STRIDE, n), zeros past the end."""
    padded = nn.functional.pad(values, (0, 0, 0, -values.shape[1] % STRIDE))
    return padded.view(len(values), -1, STRIDE, values.shape[-1])


def regulate(states: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Repeat each phone's state as often as it has frames: (n_batch, n_phones, n) to (n_batch, n_frames, n).

    Also where each frame is in its phone, (n_batch, n_frames, 3): part done, part left, logarithm of the phone's
    frames. Zeros past the end.
    """
    ends = frames.cumsum(1)
    n_frames = int(ends[:, -1].max())
    at = torch.arange(n_frames, device=states.device).expand(len(states), -1).contiguous()
    phone = torch.searchsorted(ends, at, right=True)
    inside = (phone < frames.shape[1])[..., None]
    phone = phone.clamp(max=frames.shape[1] - 1)
    length = frames.gather(1, phone)
    done = (at - (ends.gather(1, phone) - length) + 0.5) / length.clamp(min=1)
    places = torch.stack([done, 1 - done, length.clamp(min=1).log()], -1)
    spread = states.gather(1, phone[..., None].expand(-1, -1, states.shape[-1]))
    return spread * inside, places * inside
