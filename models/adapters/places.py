"""Where a pretrained model is: a folder, a package that brings one, or a name on the Hugging Face hub (`hub:NAME`).

The hub is asked only where the name begins with `hub:`; everything else stays on this machine.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from syncline.errors import SettingsError

HUB = "hub:"


def package_folder(package: str) -> Path | None:
    """The folder of an installed package, without importing it; None where it is not installed."""
    spec = find_spec(package)
    return Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None


def hub_name(where: str) -> str | None:
    """NAME of `hub:NAME`; None for anything else. Raises SettingsError for `hub:` alone."""
    if not where.startswith(HUB):
        return None
    name = where.removeprefix(HUB)
    if not name:
        raise SettingsError("hub", where, "hub:OWNER/NAME")
    return name


def name_and_revision(name: str) -> tuple[str, str | None]:
    """`OWNER/NAME@REVISION` in two; a commit as revision pins what is fetched."""
    owner_and_name, _, revision = name.partition("@")
    return owner_and_name, revision or None


def existing_folder(setting: str, where: str, holds: str) -> Path:
    """The folder `where`, which must have the file `holds`. Raises SettingsError."""
    folder = Path(where)
    if not folder.is_dir():
        raise SettingsError(setting, where, f"a folder with {holds}; for a model of the Hugging Face hub hub:NAME")
    if not (folder / holds).is_file():
        raise SettingsError(setting, where, f"a folder with {holds}; this one has none")
    return folder
