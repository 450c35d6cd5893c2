"""A model as a folder: `model.json`, weights as safetensors in half precision, other files. Digests guard them all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from syncline.errors import SettingsError

if TYPE_CHECKING:  # torch takes seconds to import, and `syncline model list` needs none of it
    from torch import nn

MANIFEST, WEIGHTS = "model.json", "weights.safetensors"
PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt")


class FolderManifest(Protocol):
    """What `model.json` always holds: `sha256` maps file name to digest."""

    @property
    def sha256(self) -> dict[str, str]: ...


M = TypeVar("M", bound=FolderManifest)


def write_folder(folder: Path, files: Mapping[str, bytes], manifest: M) -> M:
    """Write a model's files, and its manifest last.

    Args:
        folder (Path): made if it is missing.
        files (Mapping[str, bytes]): file name to content.
        manifest (M): a struct with the field `sha256`, which is set here.

    Returns:
        M: the manifest with the digests.
    """
    for name, data in files.items():
        write_whole(folder / name, data)
    digests = {name: digest(data) for name, data in files.items()}
    manifest = msgspec.structs.replace(manifest, sha256=digests)  # pyright: ignore[reportArgumentType, reportAssignmentType]
    write_whole(folder / MANIFEST, as_json(manifest))
    return manifest


def read_manifest(folder: Path, kind: type[M], setting: str = "model", command: str = "syncline model train") -> M:
    """Read `model.json`.

    Args:
        folder (Path): the model's folder.
        kind (type[M]): the struct to read it as.
        setting (str): the setting that chose the folder, for errors. Default `model`.
        command (str): the command that writes such a folder, for errors. Default `syncline model train`.

    Raises:
        SettingsError: it is missing or broken.
    """
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        takes = f"a folder with a whole {MANIFEST}, as `{command}` writes it ({error})"
        raise SettingsError(setting, str(folder), takes) from error


def checked_bytes(folder: Path, name: str, manifest: FolderManifest) -> bytes:
    """Read a file whose digest stands in the manifest.

    Raises:
        SettingsError: the file is missing or its digest differs.
    """
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        takes = f"a readable file ({error.strerror}){_unopened(folder)}"
        raise SettingsError("model", str(folder / name), takes) from error
    check_digest(folder / name, digest(data), manifest.sha256.get(name, "none"))
    return data


def check_digest(path: Path, got: str, wanted: str) -> None:
    """Raise `SettingsError` unless both digests are the same."""
    if got != wanted:
        raise SettingsError(str(path), f"sha256 {got}", f"sha256 {wanted}: the file was changed or is broken")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step: who reads it, also after a crash, finds the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    if hasattr(os, "O_DIRECTORY"):  # the rename itself must reach the disk too; Windows has no way to ask for it
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def as_json(value: Any) -> bytes:
    """A value as indented JSON with a line feed at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def pack_weights(network: nn.Module) -> bytes:
    """The weights as safetensors: learned matrices in half precision, all else in full."""
    from safetensors.torch import save

    learned = {name for name, of in network.named_parameters() if of.is_floating_point() and of.ndim > 1}
    return save({
        name: (tensor.half() if name in learned else tensor).contiguous()
        for name, tensor in network.state_dict().items()
    })  # fmt: skip


def load_weights(network: nn.Module, data: bytes, path: Path) -> None:
    """Give `network` the weights that `pack_weights` made; `path` is named in errors.

    Raises:
        SettingsError: the weights are of another network.
    """
    from safetensors.torch import load

    try:
        tensors = load(data)
        network.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in tensors.items()})
    except Exception as error:  # safetensors and torch have an error each, none of them a common one
        raise SettingsError("model", str(path), f"weights of this network ({error})") from error


def digest(data: bytes) -> str:
    """The SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def pickles_in(folder: Path, suffixes: Collection[str] = PICKLES) -> list[str]:
    """The names of files that may be pickles, by their suffixes."""
    return sorted(path.name for path in folder.iterdir() if path.suffix in suffixes) if folder.is_dir() else []


def _unopened(folder: Path) -> str:
    found = pickles_in(folder)
    return f"; pickles ({', '.join(found)}) are never opened: they are programs" if found else ""
