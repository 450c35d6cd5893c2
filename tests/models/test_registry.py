"""Models are found by name or path, and what is broken is refused in plain words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models import registry
from models.interface import Fusion, Member
from syncline.errors import SettingsError


def test_null_looks_at_nothing() -> None:
    """The null model takes any bytes, and gives an empty answer to each set."""
    model = registry.load("null")
    prepared = model.prepare("image", b"no picture", "image/png", None)
    assert (prepared.value, prepared.words) == (None, ())
    assert model.run([[Member("image", "image", prepared)], []]) == [Fusion(), Fusion()]


def test_unknown_name_says_what_there_is() -> None:
    """An unknown name is a settings error that lists the names."""
    with pytest.raises(SettingsError, match=r"'nobody', takes null, reference, a folder with"):
        registry.load("nobody")


def test_empty_name_is_unknown() -> None:
    """An empty name does not mean the folder of all models."""
    with pytest.raises(SettingsError, match="takes null"):
        registry.load("")


def test_folder_is_loaded(tiny_folder: Path) -> None:
    """A folder's path is as good as a name."""
    assert registry.load(str(tiny_folder)).name == "tiny"


@pytest.mark.parametrize("name", ["weights.safetensors", "tokenizer.json"])
def test_tampered_file_is_refused(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    """One changed byte in a file is found by its digest."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(bytes(data))
    with pytest.raises(SettingsError, match=rf"{name}: got 'sha256 \w+', takes sha256 \w+: the file was changed"):
        registry.load(str(folder))


def test_missing_weights_are_named(tiny_folder: Path, tmp_path: Path) -> None:
    """A file that is not there is named."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    (folder / "weights.safetensors").unlink()
    with pytest.raises(SettingsError, match=r"weights\.safetensors.*a readable file"):
        registry.load(str(folder))


def test_broken_manifest_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    """A manifest that is cut short is named."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    manifest = folder / "model.json"
    manifest.write_bytes(manifest.read_bytes()[:100])
    with pytest.raises(SettingsError, match=r"model\.json.*a whole model\.json"):
        registry.load(str(folder))


def test_weights_of_another_network_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    """Sizes that do not fit the weights are refused, not guessed around."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    manifest = folder / "model.json"
    manifest.write_text(manifest.read_text().replace('"n_state": 32', '"n_state": 64'))
    with pytest.raises(SettingsError, match="weights of this network"):
        registry.load(str(folder))


def test_shipped_models_open() -> None:
    """Every model in the repository opens, and says how many labels it has."""
    for name in registry.names():
        assert registry.load(name).name == name
        assert registry.describe(name)


def test_model_of_another_kind_is_refused() -> None:
    """A voice fuses no sets: it is not listed among those that do, and asking for it says what it is for."""
    assert "synthesis" not in registry.names()
    with pytest.raises(SettingsError, match="'synthesis', takes a model that fuses sets: this one is of kind speech"):
        registry.load("synthesis")
