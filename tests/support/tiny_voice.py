"""A voice that was never trained, for tests: a lexicon of a few words, small networks drawn by seed."""

from __future__ import annotations

from pathlib import Path

import torch

from models.synthesis.checkpoint import KIND, VoiceManifest, new_networks, save_voice
from models.synthesis.network import VoiceDimensions
from models.synthesis.pronunciation import pack_lexicon

WORDS = {
    "hello": ["hh", "ax", "l", "ow"],
    "world": ["w", "er", "l", "d"],
    "the": ["dh", "ax"],
    "apple": ["ae", "p", "ax", "l"],
    "cat": ["k", "ae", "t"],
    "dog": ["d", "ao", "g"],
    "fox": ["f", "aa", "k", "s"],
}
SIZES = VoiceDimensions(n_state=16, n_latent=8, n_spelling=16)


def write_tiny_voice(folder: Path) -> Path:
    """Write the folder of an untrained voice."""
    torch.manual_seed(3)
    save_voice(folder, new_networks(SIZES), pack_lexicon(WORDS), VoiceManifest("tiny", "1", KIND, SIZES))
    return folder
