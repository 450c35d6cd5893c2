"""ONNX files, a lane each: those of torch, and one that TensorFlow's Keras made by way of tf2onnx."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import registry
from models.interface import Member
from syncline.errors import SettingsError
from tests.models.adapters.folders import manifest, picture

KERAS = Path(os.environ.get("SYNCLINE_KERAS_FOLDER", Path(__file__).parent / "keras"))
"""What tests/tensorflow/convert.py made: committed, or just now by `make test-tensorflow`."""
LABELS = ["one", "two", "three"]


@pytest.fixture
def keras_folder(tmp_path: Path) -> Path:
    """The Keras model with the manifest that a user would write."""
    shutil.copy(KERAS / "model.onnx", tmp_path)
    lane = {"file": "model.onnx", "gives": "labels", "layout": "NHWC"}
    return manifest(tmp_path, kind="onnx", labels=LABELS, lanes={"image": lane}, image={"size": 16})


def test_a_keras_model_says_what_keras_says(keras_folder: Path) -> None:
    """The scores are those that Keras itself gave for the picture, by softmax, best first."""
    expected = json.loads((KERAS / "expected.json").read_text())
    out = io.BytesIO()
    Image.fromarray(np.asarray(expected["pixels"], np.uint8)).save(out, "PNG")
    model = registry.load(str(keras_folder))
    prepared = model.prepare("image", out.getvalue(), "image/png", None)
    np.testing.assert_array_equal(prepared.value.transpose(1, 2, 0), expected["pixels"])
    (answer,) = model.run([[Member("image", "image", prepared)]])
    raised = np.exp(np.asarray(expected["scores"]) - max(expected["scores"]))
    wanted = dict(zip(LABELS, raised / raised.sum(), strict=True))
    assert dict(answer.labels) == pytest.approx(wanted, abs=1e-4)
    assert [label for label, _ in answer.labels] == sorted(LABELS, key=lambda label: -wanted[label])
    assert answer.embedding is None


def test_two_pictures_of_a_lane_count_as_one_voice(keras_folder: Path) -> None:
    """The same picture twice says what it says once."""
    model = registry.load(str(keras_folder))
    once, twice = model.run([[picture(model, 7)], [picture(model, 7), picture(model, 7)]])
    assert dict(once.labels) == pytest.approx(dict(twice.labels), abs=1e-5)


def test_labels_must_be_as_many_as_the_scores(keras_folder: Path) -> None:
    """Fewer labels than outputs are an error of the manifest, not wrong answers."""
    lane = {"file": "model.onnx", "gives": "labels", "layout": "NHWC"}
    folder = manifest(keras_folder, kind="onnx", labels=["one"], lanes={"image": lane}, image={"size": 16})
    with pytest.raises(SettingsError, match="labels: got 1, takes 3, as many as the model scores"):
        registry.load(str(folder))


@pytest.mark.parametrize(
    ("lane", "says"),
    [
        ({"file": "gone.onnx"}, "a .onnx file; there is none"),
        ({"file": "model.h5"}, "model.h5 may hold a program and is not opened"),
        ({"file": "model.onnx", "input": "sound"}, "input of model.onnx: got 'sound', takes "),
        ({"file": "broken.onnx"}, "an ONNX file that onnxruntime takes"),
    ],
)
def test_wrong_lanes_are_told(keras_folder: Path, lane: dict[str, str], says: str) -> None:
    """Each way in which a lane can be wrong has its own words."""
    (keras_folder / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(SettingsError) as refused:
        registry.load(str(manifest(keras_folder, kind="onnx", lanes={"image": lane})))
    assert says in str(refused.value)


def test_embeddings_come_out_at_length_one(keras_folder: Path) -> None:
    """The same output, taken as an embedding."""
    lane = {"file": "model.onnx", "layout": "NHWC"}
    model = registry.load(str(manifest(keras_folder, kind="onnx", lanes={"image": lane}, image={"size": 16})))
    answer, nothing = model.run([[picture(model, 7)], []])
    assert answer.embedding is not None
    assert np.linalg.norm(answer.embedding) == pytest.approx(1, abs=1e-5)
    assert answer.embedding.shape == (3,)
    assert (answer.labels, nothing.labels, nothing.embedding) == ([], [], None)
