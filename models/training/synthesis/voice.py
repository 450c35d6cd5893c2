"""Trains the network that speaks: on what the mel encoder makes of the teacher, and on what the phones predict."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from models.synthesis.checkpoint import KIND, Voice, VoiceManifest, as_voice, new_networks, save_voice
from models.synthesis.network import SpeechNetwork, VoiceDimensions, mask_of, n_steps_of
from models.synthesis.pronunciation import Lexicon, pack_lexicon
from models.training.budget import Budget
from models.training.curve import draw_curves
from models.training.display import Display, log_to
from models.training.loop import Phase
from models.training.run_folder import CHECKPOINT_S, LOG, Run, begin, finish, identity_of, occupy
from models.training.synthesis import corpus
from models.training.synthesis.corpus import Batches, SpeechBatch, Split, batch_of
from models.training.synthesis.settings import SynthesisSettings
from models.training.synthesis.spelling import phone_error, read_source, split_unseen, train_spelling
from models.training.watch import is_installed

LATENT_WEIGHT = 1.0
COMMIT_WEIGHT = 0.1
"""How much the mel's latents come towards those predicted, so that phones can predict them."""

DURATION_WEIGHT = 0.5
MOTION_WEIGHT = 0.5
"""Weight of the error in how the mel changes from frame to frame: what is averaged changes too little."""


class VoiceTask:
    """Draws spoken sentences and says how far the network is from them."""

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
    """Train `network` on one split; the log says how it does on the other, whose sentences it never reads."""
    measure_scale(network, train)
    task = VoiceTask(network, train, settings)
    budget = Budget(settings.seconds("voice"), settings.steps.voice if settings.steps else None)

    def look(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, SpeechNetwork)  # noqa: S101  # nosec B101  # for the type checker
        return {"mel nearness": -spoken_error(module, validation)}

    Phase("voice", network, budget, settings.of_phase("voice"), run).run(task.loss, lambda: task.parts, look)
    return network


def measure_scale(network: SpeechNetwork, split: Split) -> None:
    """Give the network the mean and deviation of each band over a split."""
    everything = torch.cat([torch.from_numpy(mel) for mel in split.log_mels])
    network.mel_mean.copy_(everything.mean(0))
    network.mel_scale.copy_(everything.std(0))


@torch.inference_mode()
def spoken_error(network: SpeechNetwork, split: Split) -> float:
    """The mean distance of what is said with the teacher's durations from what the teacher said, in deviations."""
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


log = logging.getLogger("models.training")
VERSION = "1"


def train_synthesis(
    name: str,
    out: Path,
    corpus_dir: Path,
    settings: SynthesisSettings,
    *,
    resume: bool | None = None,
    checkpoint_s: float = CHECKPOINT_S,
    checkpoint_steps: int = 0,
) -> VoiceManifest:
    """Train and write `out`, stopped and gone on with as `models.training.reference.trainer.train` is.

    Builds what is missing of the corpus. Raises SettingsError where it cannot, or the folder holds another unfinished
    run.
    """
    run = Run(out, checkpoint_s, checkpoint_steps, is_installed())
    out.mkdir(parents=True, exist_ok=True)
    with occupy(out, alone=True):
        log_to(out / LOG)
        started_s = time.monotonic()
        words, folder = read_source(), corpus.build(corpus_dir)
        begin(run, identity_of(name, settings, [folder], str(torch.__version__)), resume)
        torch.set_num_threads(1)
        torch.manual_seed(settings.seed)
        sizes, packed = VoiceDimensions(), pack_lexicon(words)
        networks = new_networks(sizes, settings.dropout)
        with Display():
            log_to(out / LOG)  # through what draws the bars
            _train(as_voice(networks, Lexicon(packed)), words, folder, settings, run)
        log_to(out / LOG)
        draw_curves(out)
        log.info("trained in %.0f s", time.monotonic() - started_s)
        manifest = VoiceManifest(name, VERSION, KIND, sizes, training=msgspec.to_builtins(settings))
        manifest = save_voice(out, networks.eval(), packed, manifest)
        finish(run)
        return manifest


def _train(voice: Voice, words: dict[str, list[str]], folder: Path, settings: SynthesisSettings, run: Run) -> None:
    seen, unseen = split_unseen(words)
    train_spelling(seen, voice.spelling, settings, run)
    log.info("phone error on %d unseen words: %.4f", len(unseen), phone_error(voice.spelling, unseen))
    train_voice(corpus.read(folder, "train"), corpus.read(folder, "validation"), voice.speech, settings, run)
