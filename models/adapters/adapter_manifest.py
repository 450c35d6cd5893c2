"""`model.json` of a folder that holds somebody else's model: which kind, where its files are, what goes in; and
opening it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

import msgspec

from models.adapters.weight_files import MANIFEST, check_digests
from models.interface import Model
from processors.settings import ImageSettings
from syncline.errors import MissingExtraError, SettingsError

Kind = Literal["huggingface-dual-encoder", "sentence-encoder", "onnx", "torchvision"]


class OnnxLane(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One lane of an ONNX model. file: in the folder. input, output: names in the graph, "" for the first.

    gives: what the output is, `embedding` (n, d) or `labels`, one score a label (before the softmax).
    layout: of pictures, NCHW or NHWC; of text and sound there is one. dtype: of the input; uint8 pictures are 0 to 255.
    space: lanes of one space are averaged, others stand side by side.
    """

    file: str
    input: str = ""
    output: str = ""
    gives: Literal["embedding", "labels"] = "embedding"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal["float32", "uint8", "int32", "int64"] = "float32"
    space: str = "shared"


class AdapterManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What `model.json` says; docs/models.md has an example of each kind.

    source: the model's files, relative to the folder, or `hub:OWNER/NAME`. labels, labels_file (a line each): what
    answers are given in. prompt: how a label is said to a text encoder. scale: of the cosines before the softmax,
    0 takes the model's own. image: size, mean, std. lanes: of ONNX. architecture, weights: of torchvision.
    sha256: file name -> digest.
    """

    kind: Kind
    name: str
    version: str
    source: str = "."
    labels: tuple[str, ...] = ()
    labels_file: str = ""
    prompt: str = "{}"
    scale: float = 0.0
    max_tokens: int = 128
    pooling: Literal["mean", "cls"] = "mean"
    image: ImageSettings | None = None
    lanes: dict[str, OnnxLane] = {}
    tokenizer: str = "tokenizer.json"
    architecture: str = ""
    weights: str = ""
    sha256: dict[str, str] = {}


def read_kind(folder: Path) -> str:
    """The `kind` of a folder's `model.json`, "" where it says none. Raises SettingsError where it cannot be read."""
    return msgspec.convert(_read(folder), _Kind).kind


def read_manifest(folder: Path) -> AdapterManifest:
    """Read and check `model.json` and the digests that it names. Raises SettingsError."""
    try:
        manifest = msgspec.convert(_read(folder), AdapterManifest, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError("model", str(folder / MANIFEST), f"a manifest as in docs/models.md ({error})") from error
    if "{}" not in manifest.prompt:
        raise SettingsError("prompt", manifest.prompt, "a text with {} where the label goes")
    check_digests(folder, manifest.sha256)
    return manifest


def read_labels(folder: Path, manifest: AdapterManifest) -> list[str]:
    """The labels of the manifest, or of its file. Raises SettingsError where the file cannot be read."""
    if not manifest.labels_file:
        return list(manifest.labels)
    path = folder / manifest.labels_file
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("labels_file", str(path), f"a text file with a label a line ({error})") from error


class _Kind(msgspec.Struct):
    kind: str = ""


def _read(folder: Path) -> object:
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError("model", str(path), f"a whole {MANIFEST} ({error})") from error


class Opener(NamedTuple):
    """`module:function(folder, manifest)`, and the extra that brings what the module needs."""

    factory: str
    extra: str


OPENERS: dict[str, Opener] = {
    "huggingface-dual-encoder": Opener("models.adapters.transformers_encoders:open_dual_encoder", "huggingface"),
    "sentence-encoder": Opener("models.adapters.transformers_encoders:open_sentence_encoder", "huggingface"),
    "onnx": Opener("models.adapters.onnx:open_onnx", "onnx"),
    "torchvision": Opener("models.adapters.torchvision:open_torchvision", "torchvision"),
}


def open_folder(folder: Path) -> Model:
    """The model of a folder whose `model.json` has a `kind`. Raises SettingsError, MissingExtraError."""
    kind = read_kind(folder)
    if kind not in OPENERS:
        raise SettingsError("kind", kind, ", ".join(get_args(Kind)))
    manifest, opener = read_manifest(folder), OPENERS[kind]
    module_name, _, function = opener.factory.partition(":")
    try:
        opened = getattr(import_module(module_name), function)
    except ImportError as error:
        raise MissingExtraError(f"model {folder} ({error.name})", opener.extra) from error
    return cast("Model", opened(folder, manifest))
