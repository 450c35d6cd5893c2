"""A trained model as a folder (`model.json`, `weights.safetensors`, `tokenizer.json`), checked when it is opened."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from safetensors.torch import load, save
from torch import Tensor

from models.reference.network import Dimensions, ReferenceNetwork
from syncline.errors import SettingsError

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt")
MANIFEST, WEIGHTS, TOKENIZER = "model.json", "weights.safetensors", "tokenizer.json"


class Manifest(msgspec.Struct, frozen=True):
    """`model.json`: what the folder holds.

    labels: of each output, in English and Chinese. sha256: file name -> digest. training: the settings of the run.
    """

    name: str
    version: str
    dimensions: Dimensions
    labels: list[str]
    labels_zh: list[str]
    sha256: dict[str, str]
    training: dict[str, Any] = {}


def save_checkpoint(folder: Path, network: ReferenceNetwork, tokenizer_json: str, manifest: Manifest) -> Manifest:
    """Write the three files; returns the manifest with their digests. Matrices are kept in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: _stored(tensor) for name, tensor in network.state_dict().items()}
    files = {WEIGHTS: save(tensors), TOKENIZER: tokenizer_json.encode()}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    manifest = msgspec.structs.replace(manifest, sha256={name: _digest(data) for name, data in files.items()})
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read `model.json`. Raises SettingsError where it is missing or broken."""
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise SettingsError(
            "model", str(folder), f"a folder with {MANIFEST}, as `syncline model train` writes"
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError("model", str(path), f"a whole {MANIFEST} ({error})") from error


def open_network(folder: Path, manifest: Manifest) -> ReferenceNetwork:
    """The network with its weights, ready to answer. Raises SettingsError where a file is not what was saved."""
    data = checked_bytes(folder, WEIGHTS, manifest)
    network = ReferenceNetwork(manifest.dimensions)
    try:
        tensors = load(data)
        network.load_state_dict({name: _loaded(tensor) for name, tensor in tensors.items()})
    except Exception as error:  # safetensors and torch have an error each, none of them a common one
        raise SettingsError("model", str(folder / WEIGHTS), f"weights of this network ({error})") from error
    return network.eval()


def checked_bytes(folder: Path, name: str, manifest: Manifest) -> bytes:
    """A file of the folder, if its digest is that in the manifest. Raises SettingsError."""
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise SettingsError(
            "model", str(folder / name), f"a readable file ({error.strerror}){_pickles(folder)}"
        ) from error
    wanted, got = manifest.sha256.get(name, "none"), _digest(data)
    if got != wanted:
        raise SettingsError(str(folder / name), f"sha256 {got}", f"sha256 {wanted}: the file was changed or is broken")
    return data


def _pickles(folder: Path) -> str:
    found = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES) if folder.is_dir() else []
    return f"; pickles ({', '.join(found)}) are never opened: they are programs" if found else ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _stored(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor).contiguous()


def _loaded(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
