"""A trained reference model as a folder: `model.json`, `weights.safetensors`, `tokenizer.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from models import folder as model_folder
from models.folder import WEIGHTS, checked_bytes, load_weights, pack_weights, write_folder
from models.reference.network import NetworkDimensions, ReferenceNetwork

TOKENIZER = "tokenizer.json"


class ModelManifest(msgspec.Struct, frozen=True):
    """`model.json` of a reference model.

    Attributes:
        labels (list[str]): the English label of each output.
        labels_zh (list[str]): the Chinese label of each output.
        sha256 (dict[str, str]): file name to digest.
        training (dict[str, Any]): the settings of the run.
    """

    name: str
    version: str
    dimensions: NetworkDimensions
    labels: list[str]
    labels_zh: list[str]
    sha256: dict[str, str]
    training: dict[str, Any] = {}


def save_checkpoint(
    folder: Path, network: ReferenceNetwork, tokenizer_json: str, manifest: ModelManifest
) -> ModelManifest:
    """Write a model's folder. Returns the manifest with the digests."""
    files = {WEIGHTS: pack_weights(network), TOKENIZER: tokenizer_json.encode()}
    return write_folder(folder, files, manifest)


def read_manifest(folder: Path) -> ModelManifest:
    """Read `model.json`.

    Raises:
        SettingsError: it is missing or broken.
    """
    return model_folder.read_manifest(folder, ModelManifest)


def open_network(folder: Path, manifest: ModelManifest) -> ReferenceNetwork:
    """Load the network, ready to answer.

    Raises:
        SettingsError: its weights are not those of the manifest.
    """
    network = ReferenceNetwork(manifest.dimensions)
    load_weights(network, checked_bytes(folder, WEIGHTS, manifest), folder / WEIGHTS)
    return network.eval()
