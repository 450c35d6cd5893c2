"""ONNX files in onnxruntime, one a lane: also models of TensorFlow, Keras, JAX and scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from models.adapters.adapter_manifest import AdapterManifest, OnnxLane, read_labels
from models.adapters.lane_model import (
    Encoded,
    LaneEncoder,
    LaneModel,
    TextTokens,
    Vectors,
    prepare_pixels,
    side_by_side,
)
from models.adapters.resources import check_fits
from models.adapters.weight_files import weight_file
from models.features import AUDIO
from models.interface import Prepared
from processors.audio import load_log_mel
from processors.image import normalise
from processors.settings import ImageSettings
from syncline.errors import SettingsError

MASK = "attention_mask"
"""A second input of this name gets the mask of a text's tokens; `token_type_ids` gets zeros."""


class OnnxEncoder(LaneEncoder):
    """One ONNX file. Its output has two dimensions: (n, d) embeddings or (n, n_labels) scores."""

    def __init__(self, path: Path, lane: OnnxLane) -> None:
        self._lane, self.space = lane, lane.space
        self._session = _open(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._input = _named(inputs, lane.input, path, "input")
        self._output = _named(outputs, lane.output, path, "output")
        self._others = {one.name for one in inputs} - {self._input}
        last = next(one for one in outputs if one.name == self._output).shape[-1]
        self.width = last if lane.gives == "embedding" and isinstance(last, int) else 0
        self.n_scores = last if lane.gives == "labels" and isinstance(last, int) else 0
        if lane.gives == "embedding" and not self.width:
            raise SettingsError("onnx", str(path), f"an output of a known width; {self._output} has {last!r}")

    def encode(self, values: Sequence[Any]) -> Encoded:
        """A batch; a graph whose first dimension is fixed at 1 gets its items one by one."""
        first = next(one for one in self._session.get_inputs() if one.name == self._input).shape[0]
        batches = [[value] for value in values] if first == 1 else [list(values)]
        rows = np.concatenate([self._run(batch) for batch in batches]).astype(np.float32)
        return Encoded(embeddings=rows) if self._lane.gives == "embedding" else Encoded(scores=rows)

    def feed(self, batch: list[Any]) -> dict[str, Any]:
        """The inputs for a batch."""
        raise NotImplementedError

    def _run(self, batch: list[Any]) -> Vectors:
        (rows,) = self._session.run([self._output], self.feed(batch))
        if rows.ndim != 2:
            raise ValueError(f"output {self._output} has shape {rows.shape}, takes (n, width)")
        return rows


class OnnxPictures(OnnxEncoder):
    """Pictures, normalised by mean and std, or as bytes 0 to 255 where the input is uint8."""

    def __init__(self, path: Path, lane: OnnxLane, settings: ImageSettings) -> None:
        super().__init__(path, lane)
        self._settings = settings

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """uint8 (3, size, size)."""
        return prepare_pixels(data, content_type, self._settings)

    def feed(self, batch: list[Any]) -> dict[str, Any]:
        """NCHW or NHWC, as the manifest says."""
        pixels: Any = np.stack(batch)
        if self._lane.dtype != "uint8":
            pixels = normalise(pixels, self._settings)
        if self._lane.layout == "NHWC":
            pixels = pixels.transpose(0, 2, 3, 1)
        return {self._input: np.ascontiguousarray(pixels, np.dtype(self._lane.dtype))}


class OnnxTexts(OnnxEncoder):
    """Token ids, padded to the longest of the batch."""

    def __init__(self, path: Path, lane: OnnxLane, tokens: TextTokens) -> None:
        super().__init__(path, lane)
        self._tokens = tokens

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """int32 (n_tokens,)."""
        return self._tokens.prepare(data, content_type)

    def feed(self, batch: list[Any]) -> dict[str, Any]:
        """Ids, and the mask where the graph wants it."""
        dtype = np.int32 if self._lane.dtype == "int32" else np.int64
        ids, mask = (part.astype(dtype) for part in side_by_side(batch))
        others = {MASK: mask, "token_type_ids": np.zeros_like(ids)}
        return {self._input: ids} | {name: others[name] for name in self._others & set(others)}

    def encode_labels(self, texts: Sequence[str]) -> Vectors | None:
        """Labels in this lane's space; None where it scores labels itself."""
        if self._lane.gives != "embedding":
            return None
        return self.encode([self._tokens.of(text).value for text in texts]).embeddings


class OnnxSound(OnnxEncoder):
    """Log-mel (n, 64, n_frames), 10 ms a frame, padded with the quietest value to the longest of the batch."""

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """float32 (64, n_frames)."""
        log_mel = load_log_mel(data, content_type, AUDIO)
        return Prepared(log_mel, log_mel.shape[1] * AUDIO.hop_ms, log_mel.nbytes)

    def feed(self, batch: list[Any]) -> dict[str, Any]:
        """Clips side by side."""
        longest = max(one.shape[1] for one in batch)
        padded = [np.pad(one, ((0, 0), (0, longest - one.shape[1])), constant_values=one.min()) for one in batch]
        return {self._input: np.stack(padded)}


def open_onnx(folder: Path, manifest: AdapterManifest) -> LaneModel:
    """Open the model of a manifest.

    Raises:
        SettingsError: lanes or files cannot be used.
    """
    if not manifest.lanes or not set(manifest.lanes) <= {"image", "text", "audio"}:
        raise SettingsError("lanes", ", ".join(manifest.lanes), "one or more of image, text, audio")
    paths = {name: weight_file(folder / lane.file, ".onnx") for name, lane in manifest.lanes.items()}
    check_fits(manifest.name, paths.values())
    lanes = {name: _encoder(name, paths[name], lane, folder, manifest) for name, lane in manifest.lanes.items()}
    labels = read_labels(folder, manifest)
    for lane in lanes.values():
        if lane.n_scores and lane.n_scores != len(labels):
            raise SettingsError("labels", len(labels), f"{lane.n_scores}, as many as the model scores")
    return LaneModel(manifest.name, manifest.version, lanes, labels, manifest.prompt, manifest.scale)


def _encoder(name: str, path: Path, lane: OnnxLane, folder: Path, manifest: AdapterManifest) -> OnnxEncoder:
    if name == "image":
        return OnnxPictures(path, lane, manifest.image or ImageSettings())
    if name == "text":
        return OnnxTexts(path, lane, TextTokens(folder / manifest.tokenizer, manifest.max_tokens))
    return OnnxSound(path, lane)


def _open(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the worker has other things to do
    options.log_severity_level = 3
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    providers = [one for one in wanted if one in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's own, none of them a common one
        raise SettingsError("onnx", str(path), f"an ONNX file that onnxruntime takes ({error})") from error


def _named(there: Sequence[Any], name: str, path: Path, what: str) -> str:
    names = [one.name for one in there]
    if name and name not in names:
        raise SettingsError(f"{what} of {path.name}", name, ", ".join(names))
    return name or names[0]
