"""A model that does not fit is refused before it is loaded, with what it needs and what there is."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from models.adapters import resources as memory
from models.adapters.resources import check_fits, free_bytes
from models.adapters.weight_files import check_folder, file_digest, float32_bytes
from syncline.errors import SettingsError


def test_what_fits_passes_and_what_does_not_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files' size and a fifth more, beside what else there is."""
    path = tmp_path / "weights"
    with path.open("wb") as file:
        file.truncate(5 * 2**30)  # a hole: it takes no disk
    monkeypatch.setattr(memory, "free_bytes", lambda _: 7 * 2**30)
    check_fits("mine", [path])
    monkeypatch.setattr(memory, "free_bytes", lambda _: 6 * 2**30)
    with pytest.raises(SettingsError, match=r"model: got 'mine', takes .* about 6\.2 GiB of memory, 6\.0 GiB are free"):
        check_fits("mine", [path])
    with pytest.raises(SettingsError, match=r"6\.2 GiB of GPU memory"):
        check_fits("mine", [], "cuda", n_bytes=5 * 2**30)
    monkeypatch.setattr(memory, "free_bytes", lambda _: None)
    check_fits("mine", [path])


def test_a_container_has_what_its_limit_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smaller of what the machine has and what the container may have counts."""
    limit, used = tmp_path / "limit", tmp_path / "used"
    limit.write_text("1000\n")
    used.write_text("400\n")
    monkeypatch.setattr(memory, "_CGROUPS", ((limit, used),))
    assert free_bytes("cpu") == 600
    limit.write_text("max\n")
    assert free_bytes("cpu") != 600


def test_tensors_are_counted_as_float32(tmp_path: Path) -> None:
    """Whatever their type in the file; a broken header is named."""
    header = {"a": {"dtype": "F16", "shape": [3, 4], "data_offsets": [0, 24]}, "__metadata__": {"format": "pt"}}
    raw = json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(24))
    assert float32_bytes([path, path]) == 2 * 12 * 4
    path.write_bytes(b"no header at all")
    with pytest.raises(SettingsError, match=r"a\.safetensors', takes a whole safetensors file"):
        float32_bytes([path])


def test_a_folder_may_say_what_its_files_are(tmp_path: Path) -> None:
    """A digest that fits passes, another is refused, a folder without a manifest says nothing."""
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")
    check_folder(tmp_path)
    said = tmp_path / "model.json"
    said.write_text(json.dumps({"kind": "onnx", "sha256": {"weights.bin": file_digest(weights)}}))
    check_folder(tmp_path)
    weights.write_bytes(b"other weights")
    with pytest.raises(SettingsError, match="the file was changed or is broken"):
        check_folder(tmp_path)
    said.write_text("{")
    with pytest.raises(SettingsError, match=r"takes a whole model\.json"):
        check_folder(tmp_path)
    said.write_text(json.dumps({"sha256": {"gone.bin": "0"}}))
    with pytest.raises(SettingsError, match=r"gone\.bin', takes a readable file"):
        check_folder(tmp_path)
