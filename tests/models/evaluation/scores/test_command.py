"""Which models `make evaluate` examines."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from models.evaluation.scores.__main__ import find_models
from models.reference.checkpoint import read_manifest
from models.registry import MANIFEST, SHIPPED_DIR

SHIPPED = SHIPPED_DIR / "reference"


def test_the_shipped_model_is_examined_beside_those_in_runs(tmp_path: Path) -> None:
    """Models of other kinds are left out."""
    mine = tmp_path / "seed-2"
    mine.mkdir()
    other = msgspec.structs.replace(read_manifest(SHIPPED), sha256={})
    (mine / MANIFEST).write_bytes(msgspec.json.encode(other))
    (tmp_path / "synthesis").mkdir()
    (tmp_path / "synthesis" / MANIFEST).write_text('{"kind": "synthesis"}')
    assert find_models([], tmp_path) == [SHIPPED, mine]


def test_where_the_shipped_model_was_trained_stands_for_it(tmp_path: Path) -> None:
    """Its specialists are there; a model is not examined twice."""
    (tmp_path / "seed-1").mkdir()
    shutil.copy(SHIPPED / MANIFEST, tmp_path / "seed-1")
    assert find_models([], tmp_path) == [tmp_path / "seed-1"]


def test_named_models_are_examined_alone(tmp_path: Path) -> None:
    """Nothing else is looked for."""
    assert find_models(["reference"], tmp_path) == [SHIPPED]
