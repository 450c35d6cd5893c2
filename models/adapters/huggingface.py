"""Loads Hugging Face models from a folder, or from the hub for `hub:`. Never runs code that comes with a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers.utils import logging

from models.adapters.adapter_manifest import AdapterManifest
from models.adapters.resources import check_fits, pick_device
from models.adapters.weight_files import float32_bytes, hub_name, name_and_revision, weight_files
from syncline.errors import SettingsError


class Opened(NamedTuple):
    """A network ready to answer, its folder and its device."""

    network: Any
    folder: Path
    device: torch.device


def find_source(folder: Path, manifest: AdapterManifest) -> Path:
    """The folder with the model's files. Fetches those of the hub."""
    name = hub_name(manifest.source)
    return folder / manifest.source if name is None else fetch(name)


def fetch(name: str) -> Path:
    """Fetch a model of the hub into its cache: safetensors and text files only.

    Raises:
        SettingsError: the model cannot be fetched or has no such files.
    """
    from huggingface_hub import snapshot_download

    repository, revision = name_and_revision(name)
    try:
        return Path(
            snapshot_download(
                repository, revision=revision, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]
            )
        )
    except Exception as error:  # the hub's client has a dozen of its own
        raise SettingsError("source", f"hub:{name}", f"a model of the hub that can be reached ({error})") from error


def open_network(loader: Any, source: Path, name: str, **options: Any) -> Opened:
    """Load a network with float32 weights.

    Raises:
        SettingsError: there are no safetensors, or they are broken or too large.
    """
    device = pick_device()
    check_fits(name, [], device.type, n_bytes=float32_bytes(weight_files(source)))
    logging.disable_progress_bar()
    try:
        network = loader.from_pretrained(
            source, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32, **options
        )
    except Exception as error:  # transformers raises whatever a file makes of it
        raise SettingsError("model", str(source), f"a model of transformers ({error})") from error
    return Opened(network.eval().requires_grad_(False).to(device), source, device)
