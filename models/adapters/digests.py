"""A checkpoint's identity: digests of its files, and what a manifest says that they must be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from syncline.errors import SettingsError

MANIFEST = "model.json"


class Digests(msgspec.Struct, frozen=True):
    """What each `model.json` may hold, whatever else is in it: file name -> sha256."""

    sha256: dict[str, str] = {}


def file_digest(path: Path) -> str:
    """The sha256 of a file, in hex, read in pieces. Raises SettingsError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SettingsError("model", str(path), f"a readable file ({error.strerror})") from error


def check_digests(folder: Path, wanted: Mapping[str, str]) -> None:
    """Refuse files of `folder` that are not those a manifest names (file name -> sha256). Raises SettingsError."""
    for name, digest in wanted.items():
        if (got := file_digest(folder / name)) != digest:
            raise SettingsError(
                str(folder / name), f"sha256 {got}", f"sha256 {digest}: the file was changed or is broken"
            )


def check_folder(folder: Path) -> None:
    """As `check_digests`, by the folder's own `model.json` where it has one."""
    path = folder / MANIFEST
    if not path.is_file():
        return
    try:
        wanted = msgspec.json.decode(path.read_bytes(), type=Digests).sha256
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError("model", str(path), f"a whole {MANIFEST} ({error})") from error
    check_digests(folder, wanted)
