"""models/registry.py: what events are converted to, and with what."""

from __future__ import annotations

import sys
from typing import get_args

import pytest

from models.interface import ConverterKind
from models.registry import ENGINES, Spec, open_converter, parse_spec
from syncline.errors import MissingExtraError, SettingsError
from syncline.wire.converted import MODALITY_OF

OWN = "python:tests.support.converters:Humming"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("transcript", Spec("transcript", "whisper")),
        ("speech", Spec("speech", "reference")),
        ("speech=flite", Spec("speech", "flite", "slt")),
        ("speech=flite:rms", Spec("speech", "flite", "rms")),
        (" transcript=whisper:/models/a:b ", Spec("transcript", "whisper", "/models/a:b")),
        (f"speech={OWN}", Spec("speech", "python", "tests.support.converters:Humming")),
    ],
)
def test_a_kind_an_engine_and_where_its_model_is(text: str, spec: Spec) -> None:
    """The kind alone means its first engine; only the first colon parts."""
    assert parse_spec(text) == spec


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("", "kinds: transcript, speech"),
        ("poem", "kinds: transcript, speech"),
        ("speech=whisper", "speech=ENGINE with one of reference, piper, flite, python"),
    ],
)
def test_what_there_is_is_said(text: str, takes: str) -> None:
    """Where something else was asked for."""
    with pytest.raises(SettingsError) as caught:
        parse_spec(text)
    assert caught.value.takes == takes


def test_every_kind_is_one_of_the_contract() -> None:
    """And has a modality."""
    assert set(ENGINES) <= set(get_args(ConverterKind)) == set(MODALITY_OF)


def test_an_engine_of_ones_own_is_opened() -> None:
    """By its class."""
    assert open_converter(parse_spec(f"speech={OWN}")).name == "humming"


def test_a_converter_of_another_kind_is_refused() -> None:
    """What was asked for would never come."""
    with pytest.raises(SettingsError, match="a converter of audio to transcript; this one makes speech of text"):
        open_converter(parse_spec(f"transcript={OWN}"))


def test_a_missing_extra_names_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Piper is GPL and never installed unasked."""
    monkeypatch.setitem(sys.modules, "models.adapters.piper", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'syncline\[piper\]'"):
        open_converter(parse_spec("speech=piper"))
