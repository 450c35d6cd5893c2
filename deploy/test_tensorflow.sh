#!/bin/sh
# A small Keras model through tf2onnx, then through the ONNX adapter. TensorFlow lives in an environment of its own.
# Usage: test_tensorflow.sh VENV_OF_SYNCLINE
set -eu

cd "$(dirname "$0")/.."
bin=$1/bin
cache=.cache/tensorflow
lock=requirements/tensorflow.txt
if ! cmp -s "$lock" "$cache/installed.txt"; then
    rm -rf "$cache"
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$bin/python" "$cache/venv"
        uv pip install --quiet --python "$cache/venv/bin/python" --require-hashes -r "$lock"
    else
        "$bin/python" -m venv "$cache/venv"
        "$cache/venv/bin/pip" install --quiet --require-hashes -r "$lock"
    fi
    cp "$lock" "$cache/installed.txt"
fi
"$cache/venv/bin/python" tests/tensorflow/convert.py "$cache/keras"
SYNCLINE_KERAS_FOLDER=$cache/keras "$bin/pytest" -q tests/models/adapters/test_onnx.py
