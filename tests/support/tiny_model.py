"""The folder of a reference model that was never trained: what it says is noise, but it says it as a trained one."""

from __future__ import annotations

from pathlib import Path


def write_tiny_model(folder: Path) -> Path:
    """Write it, and return the folder."""
    import torch

    from models.reference.checkpoint import ModelManifest, save_checkpoint
    from models.reference.network import NetworkDimensions, ReferenceNetwork
    from models.training.reference.sources import train_tokenizer
    from tests.support.tiny_corpus import N_PHONES, tiny_concepts

    concepts = tiny_concepts()
    tokenizer = train_tokenizer(concepts)
    torch.manual_seed(0)
    dimensions = NetworkDimensions(len(concepts), tokenizer.get_vocab_size(), N_PHONES, n_state=32, n_audio_channels=32)
    manifest = ModelManifest("tiny", "1", dimensions, [c.label for c in concepts], [c.label_zh for c in concepts], {})
    save_checkpoint(folder, ReferenceNetwork(dimensions), tokenizer.to_str(), manifest)
    return folder
