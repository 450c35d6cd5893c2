"""The files of a pretrained model: finds them, checks their kind (never a pickle) and their digests."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec

from models import folder as model_folder
from models.folder import MANIFEST, check_digest, pickles_in
from syncline.errors import SettingsError


class Digests(msgspec.Struct, frozen=True):
    """The digests that any `model.json` may hold: file name to sha256."""

    sha256: dict[str, str] = {}


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hex.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SettingsError("model", str(path), f"a readable file ({error.strerror})") from error


def check_digests(folder: Path, wanted: Mapping[str, str]) -> None:
    """Check files against their digests (file name to sha256).

    Raises:
        SettingsError: a digest differs.
    """
    for name, digest in wanted.items():
        check_digest(folder / name, file_digest(folder / name), digest)


def check_folder(folder: Path) -> None:
    """Check a folder by its own `model.json`, if it has one."""
    path = folder / MANIFEST
    if not path.is_file():
        return
    try:
        wanted = msgspec.json.decode(path.read_bytes(), type=Digests).sha256
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError("model", str(path), f"a whole {MANIFEST} ({error})") from error
    check_digests(folder, wanted)


PICKLES = (*model_folder.PICKLES, ".h5", ".keras")
CONVERT = "syncline model convert IN OUT.safetensors"


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder.

    Raises:
        SettingsError: it has none.
    """
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        takes = f"a folder with *.safetensors{_advice(pickles_in(folder, PICKLES))}"
        raise SettingsError("model", str(folder), takes)
    return found


def weight_file(path: Path, suffix: str = ".safetensors") -> Path:
    """The path, if it is a file with that suffix.

    Raises:
        SettingsError: it is not a file, or has another suffix.
    """
    if path.suffix != suffix:
        raise SettingsError("model", str(path), f"a {suffix} file{_advice([path.name])}")
    if not path.is_file():
        raise SettingsError("model", str(path), f"a {suffix} file; there is none")
    return path


def float32_bytes(files: Iterable[Path]) -> int:
    """The size in memory of safetensors files as float32, in bytes.

    Raises:
        SettingsError: a header is broken.
    """
    n_values = 0
    for path in files:
        try:
            with path.open("rb") as file:
                (n_header,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(min(n_header, 100 * 2**20)))
            n_values += sum(math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
        except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError("model", str(path), f"a whole safetensors file ({error})") from error
    return 4 * n_values


def _advice(pickles: list[str]) -> str:
    if not any(name.endswith(PICKLES) for name in pickles):
        return ""
    return f"; {', '.join(pickles)} may hold a program and is not opened: {CONVERT}"


HUB = "hub:"


def package_folder(package: str) -> Path | None:
    """The folder of an installed package, found without importing it; None where it is missing."""
    spec = find_spec(package)
    return Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None


def hub_name(where: str) -> str | None:
    """NAME of `hub:NAME`; None for anything else.

    Raises:
        SettingsError: `where` is `hub:` alone.

    Example:
        >>> hub_name("hub:openai/whisper-tiny")
        'openai/whisper-tiny'
    """
    if not where.startswith(HUB):
        return None
    name = where.removeprefix(HUB)
    if not name:
        raise SettingsError("hub", where, "hub:OWNER/NAME")
    return name


def name_and_revision(name: str) -> tuple[str, str | None]:
    """Split `OWNER/NAME@REVISION`. A commit as revision pins what is fetched.

    Example:
        >>> name_and_revision("openai/whisper-tiny@169d4a4")
        ('openai/whisper-tiny', '169d4a4')
    """
    owner_and_name, _, revision = name.partition("@")
    return owner_and_name, revision or None


def existing_folder(setting: str, where: str, holds: str) -> Path:
    """The folder `where`, if it has the file `holds`.

    Raises:
        SettingsError: there is no such folder or file.
    """
    folder = Path(where)
    if not folder.is_dir():
        raise SettingsError(setting, where, f"a folder with {holds}; for a model of the Hugging Face hub hub:NAME")
    if not (folder / holds).is_file():
        raise SettingsError(setting, where, f"a folder with {holds}; this one has none")
    return folder
