"""Opens models and converters by name: those of the repository, folders, and classes of your own."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeVar, cast

from models.adapters.adapter_manifest import open_folder, read_kind
from models.folder import MANIFEST
from models.interface import Converter, Fusion, Member, Modality, Model, Prepared
from syncline.errors import MissingExtraError, SettingsError
from syncline.wire.converted import MODALITY_OF

_C = TypeVar("_C")


def find_class(name: str, where: str, base: type[_C]) -> Callable[..., _C]:
    """Import a class of the user's.

    Args:
        name (str): the setting that names it, for errors.
        where (str): `module:Class` or `path/to/file.py:Class`.
        base (type[_C]): what the class must derive from.

    Raises:
        SettingsError: there is no such class.

    Example:
        >>> find_class("model", "models.registry:NullModel", Model).__name__
        'NullModel'
    """
    module_name, _, class_name = where.rpartition(":")
    if not module_name or not class_name:
        raise SettingsError(name, where, "module:Class or path/to/file.py:Class")
    module = _load_file(name, Path(module_name)) if module_name.endswith(".py") else _import(name, module_name)
    found: object = getattr(module, class_name, None)
    if not isinstance(found, type) or not issubclass(found, base):
        raise SettingsError(name, where, f"a class that derives from {base.__module__}.{base.__name__}")
    return found


def _import(name: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ImportError as error:
        raise SettingsError(name, module_name, f"a module that can be imported ({error})") from error


def _load_file(name: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise SettingsError(name, str(path), "a Python file that is there")
    module_name = f"syncline_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise SettingsError(name, str(path), "a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and pickles look their module up by its name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SettingsError(name, str(path), f"a Python file that runs ({type(error).__name__}: {error})") from error
    return module


_NOTHING = Prepared(None)


class NullModel(Model):
    """A model that decodes nothing and gives empty answers: the worker only joins."""

    name, version = "null", "1"

    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:  # noqa: ARG002
        """Ignore the bytes."""
        return _NOTHING

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """Give an empty answer to each set."""
        return [Fusion() for _ in sets]


class Engine(NamedTuple):
    """How a converter is opened.

    Attributes:
        factory (str): `module:function`; the function takes `where`.
        extra (str): the pip extra that installs what it needs.
        where (str): its default model or voice. Default "".
    """

    factory: str
    extra: str
    where: str = ""


ENGINES: dict[str, dict[str, Engine]] = {
    "transcript": {
        "whisper": Engine("models.adapters.whisper:open_whisper", "transcribe"),
        "huggingface": Engine("models.adapters.huggingface_whisper:open_whisper", "huggingface"),
    },
    "speech": {
        "reference": Engine("models.synthesis.converter:open_reference", "service"),
        "piper": Engine("models.adapters.piper:open_piper", "piper"),
        "flite": Engine("models.adapters.flite:open_flite", "service", "slt"),
    },
}
"""Kind to engine to how it is opened. The first engine of a kind is its default."""

OWN = "python"
"""The engine that is a class of the user's."""


class Spec(NamedTuple):
    """Which converter to open.

    Attributes:
        kind (str): `transcript` or `speech`.
        engine (str): a name in `ENGINES`, or `python` for a class of the user's.
        where (str): the engine's model; "" for its default.
    """

    kind: str
    engine: str
    where: str = ""


def parse_spec(text: str) -> Spec:
    """Read `KIND[=ENGINE[:WHERE]]`.

    Raises:
        SettingsError: the kind or engine is unknown.

    Example:
        >>> parse_spec("speech=flite:rms")
        Spec(kind='speech', engine='flite', where='rms')
        >>> parse_spec("transcript").engine
        'whisper'
    """
    kind, _, how = text.strip().partition("=")
    if kind not in ENGINES:
        raise SettingsError("convert", text, f"kinds: {', '.join(ENGINES)}")
    engine, _, where = how.partition(":")
    engine = engine or next(iter(ENGINES[kind]))
    if engine == OWN:
        return Spec(kind, engine, where)
    if engine not in ENGINES[kind]:
        raise SettingsError("convert", text, f"{kind}=ENGINE with one of {', '.join(ENGINES[kind])}, {OWN}")
    return Spec(kind, engine, where or ENGINES[kind][engine].where)


def open_converter(spec: Spec) -> Converter:
    """Open a converter.

    Args:
        spec (Spec): what `parse_spec` made of the setting.

    Raises:
        SettingsError: the model cannot be used.
        MissingExtraError: a pip extra is missing.
    """
    if spec.engine == OWN:
        return _checked(find_class("convert", spec.where, Converter)(), spec)
    engine = ENGINES[spec.kind][spec.engine]
    module_name, _, function = engine.factory.partition(":")
    try:
        factory = getattr(import_module(module_name), function)
    except ImportError as error:
        raise MissingExtraError(f"{spec.kind}={spec.engine} ({error.name})", engine.extra) from error
    return cast("Converter", factory(spec.where))


def _checked(converter: Converter, spec: Spec) -> Converter:
    made = (converter.kind, converter.modality)
    if made != (spec.kind, MODALITY_OF[spec.kind]):
        takes = f"a converter of {MODALITY_OF[spec.kind]} to {spec.kind}; this one makes {made[0]} of {made[1]}"
        raise SettingsError("convert", spec.where, takes)
    return converter


SHIPPED_DIR = Path(__file__).parent
CONVERTER_KINDS = tuple(ENGINES)
"""The kinds of models that convert single events. `load` refuses them, `open_converter` opens them."""


def names() -> list[str]:
    """List the models that come with the repository and fuse sets.

    Example:
        >>> names()
        ['null', 'reference']
    """
    folders = sorted(path.parent for path in SHIPPED_DIR.glob(f"*/{MANIFEST}"))
    return ["null", *(folder.name for folder in folders if _kind(folder) not in CONVERTER_KINDS)]


def describe(name: str) -> str:
    """Describe a model that `names` lists, in one line.

    Example:
        >>> describe("reference")
        'version 4, 861 labels'
    """
    if name == "null":
        return "no decoding, no model: only the join"
    manifest = json.loads((SHIPPED_DIR / name / MANIFEST).read_text())
    return f"version {manifest['version']}, {len(manifest['labels'])} labels"


def _kind(folder: Path) -> str:
    """The `kind` of a model; "" where its manifest has none or is broken (opening it says so)."""
    try:
        return read_kind(folder)
    except SettingsError:
        return ""


def find_folder(name: str) -> Path:
    """Find the folder of a trained model.

    Args:
        name (str): a name of `names`, or a folder with a `model.json`.

    Raises:
        SettingsError: there is none; with the names that exist.
    """
    for folder in (SHIPPED_DIR / name, Path(name)):
        if name and (folder / MANIFEST).is_file():
            return folder
    raise SettingsError("model", name, f"{', '.join(names())}, a folder with {MANIFEST}, or FILE.py:CLASS")


def load(name: str) -> Model:
    """Open a model.

    Args:
        name (str): a name of `names`, a folder with a `model.json`, or a class: `FILE.py:CLASS`, `MODULE:CLASS`.

    Raises:
        SettingsError: there is none or its files are broken.
        MissingExtraError: a pip extra is missing.

    Example:
        >>> load("null").run([[]])
        [Fusion(labels=[], embedding=None, conversions=[])]
    """
    if name == "null":
        return NullModel()
    if ":" in name and not Path(name).exists():
        return _open_class(name)
    folder = find_folder(name)
    kind = read_kind(folder)
    if kind in CONVERTER_KINDS:
        raise SettingsError("model", name, f"a model that fuses sets: this one is of kind {kind}, for --convert")
    if kind:
        return open_folder(folder)
    try:
        from models.reference.model import ReferenceModel
    except ImportError as error:
        raise MissingExtraError(f"model {name} ({error.name})", "service") from error
    return ReferenceModel(folder)


def _open_class(name: str) -> Model:
    try:
        return find_class("model", name, Model)()
    except TypeError as error:  # a method that `Model` wants is missing, or the class wants arguments
        raise SettingsError("model", name, f"a class that can be made without arguments ({error})") from error
