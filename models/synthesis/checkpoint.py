"""A trained voice as a folder: `model.json`, `weights.safetensors`, `lexicon.xz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from torch import nn

from models import folder as model_folder
from models.folder import MANIFEST, WEIGHTS, checked_bytes, load_weights, pack_weights, write_folder
from models.synthesis.network import SpeechNetwork, VoiceDimensions
from models.synthesis.pronunciation import Lexicon, SpellingNetwork
from syncline.errors import SettingsError

LEXICON = "lexicon.xz"
KIND = "speech"


class VoiceManifest(msgspec.Struct, frozen=True):
    """`model.json` of a voice. `sha256`: file name to digest. `training`: the settings of the run."""

    name: str
    version: str
    kind: str
    dimensions: VoiceDimensions
    sha256: dict[str, str] = {}
    training: dict[str, Any] = {}


class Voice(NamedTuple):
    """The lexicon of known words, the network that spells unknown ones, and the network that speaks."""

    lexicon: Lexicon
    spelling: SpellingNetwork
    speech: SpeechNetwork


def new_networks(sizes: VoiceDimensions, dropout: float = 0.0) -> nn.ModuleDict:
    """Both networks with random weights, under their names in the file."""
    return nn.ModuleDict({"spelling": SpellingNetwork(sizes.n_spelling), "speech": SpeechNetwork(sizes, dropout)})


def save_voice(folder: Path, networks: nn.ModuleDict, packed_lexicon: bytes, manifest: VoiceManifest) -> VoiceManifest:
    """Write a voice's folder. Returns the manifest with the digests."""
    return write_folder(folder, {WEIGHTS: pack_weights(networks), LEXICON: packed_lexicon}, manifest)


def read_manifest(folder: Path) -> VoiceManifest:
    """Read `model.json`.

    Raises:
        SettingsError: it is missing, broken, or of another kind of model.
    """
    manifest = model_folder.read_manifest(folder, VoiceManifest, "speech", "syncline model train synthesis")
    if manifest.kind != KIND:
        raise SettingsError("speech", f"{folder / MANIFEST} of kind {manifest.kind}", f"a model of kind {KIND}")
    return manifest


def open_voice(folder: Path, manifest: VoiceManifest) -> Voice:
    """Load the voice, ready to speak.

    Raises:
        SettingsError: a file differs from the manifest.
    """
    weights, packed = (checked_bytes(folder, name, manifest) for name in (WEIGHTS, LEXICON))
    networks = new_networks(manifest.dimensions)
    load_weights(networks, weights, folder / WEIGHTS)
    networks.eval()
    return as_voice(networks, Lexicon(packed))


def as_voice(networks: nn.ModuleDict, lexicon: Lexicon) -> Voice:
    """What `new_networks` made, with a lexicon, as a voice."""
    spelling, speech = networks["spelling"], networks["speech"]
    if not isinstance(spelling, SpellingNetwork) or not isinstance(speech, SpeechNetwork):
        raise SettingsError("networks", [*networks], "what `new_networks` makes")
    return Voice(lexicon, spelling, speech)
