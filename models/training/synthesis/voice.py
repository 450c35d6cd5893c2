"""Trains the voice: the spelling network, then the network that speaks."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from models.synthesis.checkpoint import KIND, VoiceManifest, as_voice, new_networks, save_voice
from models.synthesis.network import SpeechNetwork, VoiceDimensions, mask_of, n_steps_of
from models.synthesis.pronunciation import Lexicon, pack_lexicon
from models.training.budget import Budget
from models.training.display import log
from models.training.loop import Phase
from models.training.run_folder import Run
from models.training.settings import SynthesisSettings
from models.training.synthesis import corpus
from models.training.synthesis.corpus import Batches, SpeechBatch, Split, batch_of
from models.training.synthesis.spelling import phone_error, read_source, split_unseen, train_spelling
from models.training.trainer import Trainer

LATENT_WEIGHT = 1.0
COMMIT_WEIGHT = 0.1
"""Weight of the pull of the mel's latents towards those predicted, so that phones can predict them."""

DURATION_WEIGHT = 0.5
MOTION_WEIGHT = 0.5
"""Weight of the error in how the mel changes from frame to frame: what is averaged changes too little."""


class VoiceTask:
    """The loss of the network that speaks on spoken sentences."""

    def __init__(self, network: SpeechNetwork, split: Split, settings: SynthesisSettings) -> None:
        self.network, self._noise = network, settings.latent_noise
        self._batches = Batches(split, settings.batch, settings.seed * 10 + 3)
        self._dice = torch.Generator().manual_seed(settings.seed * 10 + 5)
        self.parts: dict[str, float] = {}

    def loss(self, spent: float) -> Tensor:  # noqa: ARG002
        """The sum of all errors of the next batch."""
        with fast():
            parts = self._parts(self._batches.draw())
        self.parts = {name: float(part.detach()) for name, part in parts.items()}
        return torch.stack(list(parts.values())).sum()

    def _parts(self, batch: SpeechBatch) -> dict[str, Tensor]:
        network, wanted, n_frames = self.network, self.network.scale(batch.log_mel), batch.frames.sum(1)
        mask = mask_of(n_frames, wanted.shape[1])
        latent = network.encode_mel(wanted, n_frames)
        steps = mask_of(n_steps_of(n_frames), latent.shape[1])
        states = network.text(batch.phones, batch.n_phones)
        predicted = network.predict_latent(states, batch.frames)
        noise = torch.randn(latent.shape, generator=self._dice) * self._noise
        copied = network.decode((latent + noise) * steps[..., None], n_frames)
        spoken = network.decode(predicted, n_frames)
        durations = network.duration(states.detach(), batch.n_phones)
        off = durations.float() - batch.frames.clamp(min=1).log()
        return {
            "copy": mel_error(copied, wanted, mask),
            "spoken": mel_error(spoken, wanted, mask),
            "latent": LATENT_WEIGHT * _mean((predicted - latent.detach()).float().square(), steps),
            "commit": COMMIT_WEIGHT * _mean((predicted.detach() - latent).float().square(), steps),
            "duration": DURATION_WEIGHT * _mean(off.square()[..., None], mask_of(batch.n_phones, off.shape[1])),
        }


def train_voice(
    train: Split, validation: Split, network: SpeechNetwork, settings: SynthesisSettings, run: Run | None = None
) -> SpeechNetwork:
    """Train `network` on one split, and look at its error on the other."""
    measure_scale(network, train)
    task = VoiceTask(network, train, settings)
    budget = Budget(settings.seconds("voice"), settings.n_steps("voice"))

    def look(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, SpeechNetwork)  # noqa: S101  # nosec B101  # for the type checker
        return {"mel nearness": -spoken_error(module, validation)}

    Phase("voice", network, budget, settings, run).run(task.loss, lambda: task.parts, look)
    return network


def measure_scale(network: SpeechNetwork, split: Split) -> None:
    """Give the network the mean and deviation of each band over a split."""
    everything = torch.cat([torch.from_numpy(mel) for mel in split.log_mels])
    network.mel_mean.copy_(everything.mean(0))
    network.mel_scale.copy_(everything.std(0))


@torch.inference_mode()
def spoken_error(network: SpeechNetwork, split: Split) -> float:
    """The mean error of speech with the teacher's durations, in standard deviations of each band."""
    training = network.training
    network.eval()
    errors = []
    for i in range(len(split.spoken)):
        batch = batch_of(split, [i])
        said = network.speak(batch.phones, batch.n_phones, batch.frames).mel
        errors.append((network.scale(said) - network.scale(batch.log_mel)).abs().mean())
    network.train(training)
    return float(torch.stack(errors).mean())


def mel_error(got: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """The mean distance of (n_batch, n_frames, n_mels), and of how they change from frame to frame."""
    off = (got.float() - wanted) * mask[..., None]
    inside = mask[:, 1:] & mask[:, :-1]
    return _mean(off.abs(), mask) + MOTION_WEIGHT * _mean((off[:, 1:] - off[:, :-1]).abs(), inside)


def fast() -> AbstractContextManager[object]:
    """bfloat16 for products where the processor has units for it (AMX): a step takes half the time."""
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", None)  # private: without it, it is slower and no less right
    return torch.autocast("cpu", dtype=torch.bfloat16) if has_amx and has_amx() else nullcontext()


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask[..., None]).sum() / (mask.sum() * values.shape[-1]).clamp(min=1)


VERSION = "1"


class VoiceTrainer(Trainer[VoiceManifest]):
    """Trains the voice. Speaks what is missing of the corpus in `corpus_dir`."""

    def __init__(self, name: str, settings: SynthesisSettings, run: Run, corpus_dir: Path) -> None:
        super().__init__(name, settings, run)
        self._settings, self._corpus_dir, self._sizes = settings, corpus_dir, VoiceDimensions()

    def open(self) -> list[Path]:
        """Read the dictionary, and build the corpus of speech."""
        self._dictionary, self._folder = read_source(), corpus.build(self._corpus_dir)
        return [self._folder]

    def fit(self, queue: Queue[Any] | None) -> None:  # noqa: ARG002  (both phases run in this process)
        """Train the spelling network, then the network that speaks."""
        settings = self._settings
        torch.manual_seed(settings.seed)
        self._networks, self._lexicon = new_networks(self._sizes, settings.dropout), pack_lexicon(self._dictionary)
        voice = as_voice(self._networks, Lexicon(self._lexicon))
        seen, unseen = split_unseen(self._dictionary)
        train_spelling(seen, voice.spelling, settings, self.run)
        log.info("phone error on %d unseen words: %.4f", len(unseen), phone_error(voice.spelling, unseen))
        train, validation = (corpus.read(self._folder, split) for split in ("train", "validation"))
        train_voice(train, validation, voice.speech, settings, self.run)

    def manifest(self) -> VoiceManifest:
        """Name, sizes and settings."""
        return VoiceManifest(self.name, VERSION, KIND, self._sizes, training=msgspec.to_builtins(self.settings))

    def save(self, manifest: VoiceManifest) -> VoiceManifest:
        """Write weights, lexicon and `model.json`."""
        return save_voice(self.run.out, self._networks.eval(), self._lexicon, manifest)
