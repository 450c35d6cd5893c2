"""Small ONNX graphs, one for texts and one for sound, whose answers can be counted on one's fingers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save_model

OPSET, IR = 18, 10


def write_mean_of_words(path: Path, table: np.ndarray) -> None:
    """`input_ids`, `attention_mask` (n, n_tokens) to `vectors` (n, d): the mean of the rows of `table` that count."""
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"]) for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", table.shape[1]])]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["counts"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["counts", "last"], ["weights"]),
        helper.make_node("Mul", ["rows", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "one"], ["number"], keepdims=0),
        helper.make_node("Div", ["sum", "number"], ["vectors"]),
    ]
    constants = {"table": table.astype(np.float32), "last": np.array([2]), "one": np.array([1])}
    _write(path, nodes, inputs, outputs, constants)


def write_loudest_bands(path: Path, n_mels: int) -> None:
    """`log_mel` (n, n_mels, n_frames) to `scores` (n, n_mels): the loudest that each band was."""
    inputs = [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, ["n", n_mels, "t"])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", n_mels])]
    node = helper.make_node("ReduceMax", ["log_mel", "last"], ["scores"], keepdims=0)
    _write(path, [node], inputs, outputs, {"last": np.array([2])})


def _write(path: Path, nodes: list, inputs: list, outputs: list, constants: dict[str, np.ndarray]) -> None:
    given = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    checker.check_model(model)
    save_model(model, path)
