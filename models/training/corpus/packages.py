"""Fetches the packages that the corpus is made of and reads the JSON files in them."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from syncline.errors import SettingsError

STYLES = {
    "noto": "@iconify-json/noto@1.2.9",
    "noto-v1": "@iconify-json/noto-v1@1.2.5",
    "fluent-flat": "@iconify-json/fluent-emoji-flat@1.2.6",
    "fluent": "@iconify-json/fluent-emoji@1.2.7",
    "emojione": "@iconify-json/emojione@1.2.3",
    "twemoji": "@iconify-json/twemoji@1.2.5",
}
"""Picture style -> npm package with its SVG bodies."""

WORDS = "emojibase-data@17.0.0"
"""npm package with labels and tags."""


def fetch_packages(packages_dir: Path) -> None:
    """Fetch every npm package of the emoji corpus that is not in `packages_dir` yet; 29 MB in all.

    Raises SettingsError where npm is missing or refuses.
    """
    fetch_archives(packages_dir, [*STYLES.values(), WORDS])


def fetch_archives(packages_dir: Path, specs: list[str]) -> list[Path]:
    """The archives of npm packages (`name@version`), fetched where they are not in `packages_dir` yet.

    Raises SettingsError where npm is missing or refuses.
    """
    missing = [spec for spec in specs if not _archive(packages_dir, spec).exists()]
    if missing:
        _fetch(packages_dir, missing)
    return [_archive(packages_dir, spec) for spec in specs]


def _fetch(packages_dir: Path, missing: list[str]) -> None:
    if shutil.which("npm") is None:
        raise SettingsError("PATH", "no npm", "npm, which fetches what the corpora are made of (Debian: npm)")
    packages_dir.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", "--silent", *missing]
    done = subprocess.run(command, cwd=packages_dir, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SettingsError("npm pack", done.stderr.strip()[-300:], f"an npm that can fetch {', '.join(missing)}")


def read_style(packages_dir: Path, style: str, file_name: str) -> dict[str, Any]:
    """One JSON file of a picture style: `icons.json` (SVG bodies) or `chars.json` (code points to names)."""
    return _read_json(packages_dir, STYLES[style], file_name)


def read_words(packages_dir: Path, language: str) -> list[dict[str, Any]]:
    """The records (label, tags, code points, group) of one language."""
    return _read_json(packages_dir, WORDS, f"{language}/data.json")


def _read_json(packages_dir: Path, spec: str, file_name: str) -> Any:
    with tarfile.open(_archive(packages_dir, spec)) as archive:
        member = archive.extractfile(f"package/{file_name}")
        if member is None:
            raise SettingsError(spec, f"no {file_name} in it", "a package as published")
        return json.load(member)


def _archive(packages_dir: Path, spec: str) -> Path:
    name, version = spec.removeprefix("@").rsplit("@", 1)
    return packages_dir / f"{name.replace('/', '-')}-{version}.tgz"
