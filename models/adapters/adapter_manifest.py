"""`model.json` of a pretrained model's folder: reading and checking it, and opening the model."""

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
    """One lane of an ONNX model.

    Attributes:
        file (str): the graph's file in the folder.
        input (str): the input's name in the graph; "" for the first.
        output (str): the output's name; "" for the first.
        gives (Literal['embedding', 'labels']): what the output is: `embedding` (n, d), or `labels`, one score a label
            before the softmax. Default `embedding`.
        layout (Literal['NCHW', 'NHWC']): the order of a picture's dimensions. Default `NCHW`.
        dtype (Literal['float32', 'uint8', 'int32', 'int64']): the input's type; uint8 pictures are 0 to 255. Default
            `float32`.
        space (str): lanes of one space are averaged, other spaces are concatenated. Default `shared`.
    """

    file: str
    input: str = ""
    output: str = ""
    gives: Literal["embedding", "labels"] = "embedding"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal["float32", "uint8", "int32", "int64"] = "float32"
    space: str = "shared"


class AdapterManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `model.json`. docs/models.md has an example of each kind.

    Attributes:
        kind (Kind): which adapter opens it.
        name (str): the model's name in results.
        version (str): its version in results.
        source (str): the model's files, relative to the folder, or `hub:OWNER/NAME`. Default `.`.
        labels (tuple[str, ...]): what the model answers with.
        labels_file (str): a file of labels instead, one a line.
        prompt (str): the text of a label for a text encoder, with {} in the place of the label. Default `{}`.
        scale (float): factor of cosines before the softmax; 0: the model's own. Default 0.0.
        max_tokens (int): longer texts are cut. Default 128.
        pooling (Literal['mean', 'cls']): how a sentence encoder's tokens become one vector. Default `mean`.
        image (ImageSettings | None): size, mean and std of pictures.
        lanes (dict[str, OnnxLane]): modality to ONNX graph.
        tokenizer (str): the tokenizer's file. Default `tokenizer.json`.
        architecture (str): the architecture in torchvision.
        weights (str): the name of its weights in torchvision.
        sha256 (dict[str, str]): file name to digest.
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
    """Read the `kind` of a `model.json`; "" for none.

    Raises:
        SettingsError: the file cannot be read.
    """
    return msgspec.convert(_read(folder), _Kind).kind


def read_manifest(folder: Path) -> AdapterManifest:
    """Read `model.json`, and check it and its digests.

    Raises:
        SettingsError: the manifest or a digest is wrong.
    """
    try:
        manifest = msgspec.convert(_read(folder), AdapterManifest, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError("model", str(folder / MANIFEST), f"a manifest as in docs/models.md ({error})") from error
    if "{}" not in manifest.prompt:
        raise SettingsError("prompt", manifest.prompt, "a text with {} where the label goes")
    check_digests(folder, manifest.sha256)
    return manifest


def read_labels(folder: Path, manifest: AdapterManifest) -> list[str]:
    """The labels of the manifest or of its file.

    Raises:
        SettingsError: the file cannot be read.
    """
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
    """How a kind is opened: `module:function`, which takes folder and manifest; and the pip extra that it needs."""

    factory: str
    extra: str


OPENERS: dict[str, Opener] = {
    "huggingface-dual-encoder": Opener("models.adapters.transformers_encoders:open_dual_encoder", "huggingface"),
    "sentence-encoder": Opener("models.adapters.transformers_encoders:open_sentence_encoder", "huggingface"),
    "onnx": Opener("models.adapters.onnx:open_onnx", "onnx"),
    "torchvision": Opener("models.adapters.torchvision:open_torchvision", "torchvision"),
}


def open_folder(folder: Path) -> Model:
    """Open the model of a folder whose `model.json` has a `kind`.

    Raises:
        SettingsError: the model cannot be used.
        MissingExtraError: a pip extra is missing.
    """
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
