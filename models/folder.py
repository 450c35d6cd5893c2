"""What every trained model's folder has: weights as safetensors in half precision, files checked by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from safetensors.torch import load, save
from torch import Tensor, nn

from syncline.errors import SettingsError

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt")
MANIFEST, WEIGHTS = "model.json", "weights.safetensors"


class FolderDigests(Protocol):
    """A manifest: `sha256` maps file name to digest."""

    @property
    def sha256(self) -> dict[str, str]: ...


def write_files(folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write files to `folder`, made if it is not there; returns the digest of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {name: digest(data) for name, data in files.items()}


def checked_bytes(folder: Path, name: str, manifest: FolderDigests) -> bytes:
    """A file of the folder, if its digest is that in the manifest. Raises SettingsError."""
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise SettingsError(
            "model", str(folder / name), f"a readable file ({error.strerror}){_pickles(folder)}"
        ) from error
    wanted, got = manifest.sha256.get(name, "none"), digest(data)
    if got != wanted:
        raise SettingsError(str(folder / name), f"sha256 {got}", f"sha256 {wanted}: the file was changed or is broken")
    return data


def pack_weights(network: nn.Module) -> bytes:
    """The weights as safetensors. Matrices that were learned are kept in half precision, what was measured in full."""
    learned = {name for name, of in network.named_parameters() if of.is_floating_point() and of.ndim > 1}
    return save({
        name: (tensor.half() if name in learned else tensor).contiguous()
        for name, tensor in network.state_dict().items()
    })  # fmt: skip


def load_weights(network: nn.Module, data: bytes, path: Path) -> None:
    """Give `network` the weights that `pack_weights` made. Raises SettingsError, with `path`, for other ones."""
    try:
        tensors = load(data)
        network.load_state_dict({name: _loaded(tensor) for name, tensor in tensors.items()})
    except Exception as error:  # safetensors and torch have an error each, none of them a common one
        raise SettingsError("model", str(path), f"weights of this network ({error})") from error


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _pickles(folder: Path) -> str:
    found = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES) if folder.is_dir() else []
    return f"; pickles ({', '.join(found)}) are never opened: they are programs" if found else ""


def _loaded(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
