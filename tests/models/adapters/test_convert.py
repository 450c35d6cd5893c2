"""`syncline model convert`: tensors come through, programs do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.adapters import convert as convert_module
from models.adapters.convert import convert
from models.adapters.unpickle import state_dict
from models.adapters.weight_files import file_digest
from syncline.errors import SettingsError
from tests.support.command_line import run_command


class Hostile:
    """Unpickled by a plain `pickle.load`, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


def test_tensors_come_through(tmp_path: Path) -> None:
    """A checkpoint's state dict becomes safetensors with the same values, and the command says the digest."""
    shared = torch.arange(6.0).reshape(2, 3)
    source, target = tmp_path / "model.pth", tmp_path / "model.safetensors"
    torch.save({"state_dict": {"a": shared, "b": shared.t(), "n": torch.tensor(3)}, "epoch": 4}, source)
    ran = run_command("model", "convert", str(source), str(target))
    assert (ran.code, ran.err) == (0, "")
    tensors = load_file(target)
    torch.testing.assert_close(tensors, {"a": shared, "b": shared.t().contiguous(), "n": torch.tensor(3)})
    assert "3 tensors" in ran.out
    assert file_digest(target) in ran.out
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["model.pth", "model.safetensors"]


def test_a_program_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    """A pickle that would make a folder makes none, and nothing is written."""
    source = tmp_path / "model.pt"
    torch.save({"weight": Hostile(tmp_path / "made")}, source)
    with pytest.raises(SettingsError, match=r"a state dict of tensors alone \(it names \w+\.mkdir, which is no tensor"):
        convert(source, tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_only_a_state_dict_is_taken() -> None:
    """Names to tensors, also inside a checkpoint; anything else is named."""
    weight = torch.ones(2)
    assert state_dict({"model": {"w": weight}})["w"] is not weight
    for wrong, says in (
        ([weight], "holds a list"),
        ({"w": weight, "lr": 0.1}, r"'lr' \(float\)"),
        ({}, "holds a dict"),
    ):
        with pytest.raises(ValueError, match=says):
            state_dict(wrong)


def test_wrong_paths_are_told(tmp_path: Path) -> None:
    """What is no pickle, and what would be overwritten, are refused with exit code 2."""
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"no pickle")
    with pytest.raises(SettingsError, match="it is no torch file, or broken"):
        convert(broken, tmp_path / "out.safetensors")
    there = tmp_path / "there.safetensors"
    there.touch()
    source = tmp_path / "model.pt"
    source.touch()
    with pytest.raises(SettingsError, match=r"IN: got '.*model\.onnx', takes a file that ends in \.pt"):
        convert(tmp_path / "model.onnx", tmp_path / "out.safetensors")
    with pytest.raises(SettingsError, match=r"OUT.*that is not there yet"):
        convert(source, there)
    with pytest.raises(SettingsError, match=r"OUT.*a folder that is there"):
        convert(source, tmp_path / "no" / "out.safetensors")
    ran = run_command("model", "convert", str(source), str(there))
    assert ran.code == 2
    assert "OUT: got" in ran.err


def test_a_pickle_that_does_not_fit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is asked first."""
    monkeypatch.setattr("models.adapters.resources.free_bytes", lambda _: 2**20)
    monkeypatch.setattr(convert_module, "_unpickle", lambda *_: pytest.fail("read"))
    (tmp_path / "model.pt").write_bytes(b"x")
    with pytest.raises(SettingsError, match="GiB of memory"):
        convert(tmp_path / "model.pt", tmp_path / "out.safetensors")
