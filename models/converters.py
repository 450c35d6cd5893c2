"""Finds a converter by its spec: `transcript`, `transcript=whisper:FOLDER`, `speech=python:my/voice.py:MyVoice`."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple, cast

from models.interface import Converter
from models.own import find_class
from syncline.converted import MODALITY_OF
from syncline.errors import MissingExtraError, SettingsError


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
"""The engine that is a class of one's own (models/own.py)."""


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
