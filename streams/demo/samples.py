"""The samples that the demo replays: pictures, speech and words of some concepts, and files that are broken."""

from __future__ import annotations

from pathlib import Path

import msgspec

from syncline.errors import SettingsError

SAMPLES_DIR = Path(__file__).resolve().parents[2] / "examples" / "demo"


class Sample(msgspec.Struct, frozen=True):
    """One concept: its label, the files that show and say it, and words of it in English and Chinese."""

    label: str
    image: str
    audio: str
    text_en: str
    text_zh: str


class Broken(msgspec.Struct, frozen=True):
    """A file that cannot be used, and the dead-letter reason that it must get."""

    modality: str
    path: str
    content_type: str
    reason: str


class Samples(msgspec.Struct, frozen=True):
    """What `samples.json` holds; paths are relative to its folder."""

    samples: list[Sample]
    broken: list[Broken]


def load_samples(folder: Path = SAMPLES_DIR) -> Samples:
    """Read `samples.json` of `folder`; raises `SettingsError` where it or a file that it names is missing."""
    index = folder / "samples.json"
    if not index.is_file():
        raise SettingsError("samples", str(folder), "a folder with samples.json")
    found = msgspec.json.decode(index.read_bytes(), type=Samples)
    named = [name for sample in found.samples for name in (sample.image, sample.audio)]
    for name in [*named, *(broken.path for broken in found.broken)]:
        if not (folder / name).is_file():
            raise SettingsError("samples", name, f"a file in {folder}")
    return found
