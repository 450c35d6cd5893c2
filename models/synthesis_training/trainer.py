"""Trains the voice from nothing to a folder: corpus, lexicon, spelling, speech, weights, log."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import msgspec
import torch

from models.folder import load_weights, pack_weights
from models.synthesis.checkpoint import KIND, Manifest, as_voice, new_networks, save_voice
from models.synthesis.g2p import SpellingNetwork
from models.synthesis.lexicon import Lexicon, pack_lexicon
from models.synthesis.network import Dimensions
from models.synthesis_training import corpus
from models.synthesis_training.lexicon import read_source, split_unseen
from models.synthesis_training.settings import SynthesisSettings
from models.synthesis_training.spelling import phone_error, train_spelling
from models.synthesis_training.voice import train_voice
from models.training.loop import log_to

log = logging.getLogger("models.training")
VERSION = "1"
SPELLING, SO_FAR = "spelling.safetensors", "speech-so-far.safetensors"


def train_synthesis(name: str, out: Path, corpus_dir: Path, settings: SynthesisSettings) -> Manifest:
    """Train and write `out`; builds what is missing of the corpus. Raises SettingsError where it cannot."""
    out.mkdir(parents=True, exist_ok=True)
    log_to(out / "train.log")
    started_s = time.monotonic()
    words = read_source()
    folder = corpus.build(corpus_dir)
    torch.set_num_threads(1)
    log.info("training %s: %s", name, msgspec.json.encode(settings).decode())
    torch.manual_seed(settings.seed)
    sizes, packed = Dimensions(), pack_lexicon(words)
    networks = new_networks(sizes, settings.dropout)
    voice = as_voice(networks, Lexicon(packed))
    _spell(out / SPELLING, voice.spelling, words, settings)
    train, validation = corpus.read(folder, "train"), corpus.read(folder, "validation")
    train_voice(train, validation, voice.speech, settings, out / SO_FAR)
    (out / SO_FAR).unlink(missing_ok=True)
    log.info("trained in %.0f s", time.monotonic() - started_s)
    manifest = Manifest(name, VERSION, KIND, sizes, training=msgspec.to_builtins(settings))
    return save_voice(out, networks.eval(), packed, manifest)


def _spell(path: Path, network: SpellingNetwork, words: dict[str, list[str]], settings: SynthesisSettings) -> None:
    """Train the spelling, or take it from `path`, where a run that was ended later has left it."""
    seen, unseen = split_unseen(words)
    if path.exists():
        load_weights(network, path.read_bytes(), path)
        network.eval()
        log.info("spelling taken from %s", path)
    else:
        train_spelling(seen, network, settings)
        path.write_bytes(pack_weights(network))
    log.info("phone error on %d unseen words: %.4f", len(unseen), phone_error(network, unseen))
