"""Trains the voice from nothing to a folder: corpus, lexicon, spelling, speech, weights, log, learning curve."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import msgspec
import torch

from models.synthesis.checkpoint import KIND, Manifest, Voice, as_voice, new_networks, save_voice
from models.synthesis.lexicon import Lexicon, pack_lexicon
from models.synthesis.network import Dimensions
from models.synthesis_training import corpus
from models.synthesis_training.lexicon import read_source, split_unseen
from models.synthesis_training.settings import SynthesisSettings
from models.synthesis_training.spelling import phone_error, train_spelling
from models.synthesis_training.voice import train_voice
from models.training.curve import draw_curves
from models.training.display import Display, log_to
from models.training.run import CHECKPOINT_S, LOG, Run, begin, finish, identity_of, occupy
from models.training.tensorboard import is_installed

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
) -> Manifest:
    """Train and write `out`, stopped and gone on with as `models.training.trainer.train` is.

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
        sizes, packed = Dimensions(), pack_lexicon(words)
        networks = new_networks(sizes, settings.dropout)
        with Display():
            log_to(out / LOG)  # through what draws the bars
            _train(as_voice(networks, Lexicon(packed)), words, folder, settings, run)
        log_to(out / LOG)
        draw_curves(out)
        log.info("trained in %.0f s", time.monotonic() - started_s)
        manifest = Manifest(name, VERSION, KIND, sizes, training=msgspec.to_builtins(settings))
        manifest = save_voice(out, networks.eval(), packed, manifest)
        finish(run)
        return manifest


def _train(voice: Voice, words: dict[str, list[str]], folder: Path, settings: SynthesisSettings, run: Run) -> None:
    seen, unseen = split_unseen(words)
    train_spelling(seen, voice.spelling, settings, run)
    log.info("phone error on %d unseen words: %.4f", len(unseen), phone_error(voice.spelling, unseen))
    train_voice(corpus.read(folder, "train"), corpus.read(folder, "validation"), voice.speech, settings, run)
