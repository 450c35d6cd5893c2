"""Finds models and converters by their spec: shipped ones, folders, and classes of the operator's own."""

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
    """The class at `where`, a subclass of `base`; raises SettingsError, for the setting `name`, where there is none."""
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
    """Decodes nothing and answers nothing: sets are joined and published without labels."""

    name, version = "null", "1"

    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:  # noqa: ARG002
        """Nothing: the bytes are not looked at."""
        return _NOTHING

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """An empty answer to each set."""
        return [Fusion() for _ in sets]


class Engine(NamedTuple):
    """How a converter is opened: `module:function(where)`; `extra` names what installs it, `where` its default."""

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
"""Kind -> engine -> how it is opened. The first engine of a kind is what the kind's name alone means."""

OWN = "python"
"""The engine that is a class of one's own (models/registry.py)."""


class Spec(NamedTuple):
    """What to convert to, with which engine, and where that finds its model ("": the engine's own choice)."""

    kind: str
    engine: str
    where: str = ""


def parse_spec(text: str) -> Spec:
    """`KIND[=ENGINE[:WHERE]]`. Raises SettingsError with what there is."""
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
    """Open a converter; raises SettingsError for a model that cannot be used, MissingExtraError for a missing extra."""
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
"""Kinds of trained models that convert single events: they are opened by models/registry.py."""


def names() -> list[str]:
    """The models that come with the repository and fuse sets; converters have a registry of their own."""
    folders = sorted(path.parent for path in SHIPPED_DIR.glob(f"*/{MANIFEST}"))
    return ["null", *(folder.name for folder in folders if _kind(folder) not in CONVERTER_KINDS)]


def describe(name: str) -> str:
    """One line about a model that `names` gives."""
    if name == "null":
        return "no decoding, no model: only the join"
    manifest = json.loads((SHIPPED_DIR / name / MANIFEST).read_text())
    return f"version {manifest['version']}, {len(manifest['labels'])} labels"


def _kind(folder: Path) -> str:
    """What a model is: "" where its manifest does not say, or is broken, which opening it says."""
    try:
        return read_kind(folder)
    except SettingsError:
        return ""


def find_folder(name: str) -> Path:
    """The folder of a trained model. Raises SettingsError, with the names that there are, where there is none."""
    for folder in (SHIPPED_DIR / name, Path(name)):
        if name and (folder / MANIFEST).is_file():
            return folder
    raise SettingsError("model", name, f"{', '.join(names())}, a folder with {MANIFEST}, or FILE.py:CLASS")


def load(name: str) -> Model:
    """Open a model. Raises SettingsError where there is none or its files are broken."""
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
