"""A trained model as a folder (`model.json`, `weights.safetensors`, `tokenizer.json`), checked when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from models.folder import MANIFEST, WEIGHTS, checked_bytes, load_weights, pack_weights, write_files
from models.reference.network import NetworkDimensions, ReferenceNetwork
from syncline.errors import SettingsError

TOKENIZER = "tokenizer.json"

__all__ = [
    "MANIFEST",
    "TOKENIZER",
    "WEIGHTS",
    "ModelManifest",
    "checked_bytes",
    "open_network",
    "read_manifest",
    "save_checkpoint",
]


class ModelManifest(msgspec.Struct, frozen=True):
    """`model.json`: what the folder holds.

    labels: of each output, in English and Chinese. sha256: file name -> digest. training: the settings of the run.
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
    """Write the three files; returns the manifest with their digests. Matrices are kept in half precision."""
    digests = write_files(folder, {WEIGHTS: pack_weights(network), TOKENIZER: tokenizer_json.encode()})
    manifest = msgspec.structs.replace(manifest, sha256=digests)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    return manifest


def read_manifest(folder: Path) -> ModelManifest:
    """Read `model.json`. Raises SettingsError where it is missing or broken."""
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelManifest)
    except FileNotFoundError:
        raise SettingsError(
            "model", str(folder), f"a folder with {MANIFEST}, as `syncline model train` writes"
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError("model", str(path), f"a whole {MANIFEST} ({error})") from error


def open_network(folder: Path, manifest: ModelManifest) -> ReferenceNetwork:
    """The network with its weights, ready to answer. Raises SettingsError where a file is not what was saved."""
    network = ReferenceNetwork(manifest.dimensions)
    load_weights(network, checked_bytes(folder, WEIGHTS, manifest), folder / WEIGHTS)
    return network.eval()
