"""Makes a small Keras model, takes it to ONNX by tf2onnx, and writes down what Keras itself answers.

    python convert.py FOLDER      # in an environment of requirements/tensorflow.txt: `make test-tensorflow`

Writes FOLDER/model.onnx, and FOLDER/expected.json with a picture and Keras' scores of it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf
import tf2onnx

SIZE = 16
LABELS = 3


def main() -> None:
    """Build, convert, write."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.layers.Input((SIZE, SIZE, 3)),
        keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(LABELS),
    ])  # fmt: skip
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    scores = model.predict((pixels[None] / 127.5 - 1).astype(np.float32), verbose=0)[0]
    signature = [tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, "picture")]
    call = tf.function(lambda picture: model(picture), input_signature=signature)  # noqa: PLW0108  (a Keras model is none)
    tf2onnx.convert.from_function(call, signature, opset=17, output_path=str(folder / "model.onnx"))
    expected = {"pixels": pixels.tolist(), "scores": [float(score) for score in scores]}
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
