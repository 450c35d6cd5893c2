"""Converters for the tests: they make what the test says, when it says so."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.interface import Converter, Prepared, Speech, Text, TimedWord
from syncline.errors import MediaError


class Spelling(Converter):
    """Transcribes a clip as the number of its bytes; refuses clips of `REFUSED` bytes, waits while `gate` is shut."""

    name, version, kind, modality = "spelling", "1", "transcript", "audio"
    REFUSED = 13

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.n_warm_ups = 0
        self.error: Exception | None = None

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """The bytes as they are."""
        if len(data) == self.REFUSED:
            raise MediaError("audio_header", "not a clip")
        return Prepared((data, language), cost=len(data))

    def run(self, items: Sequence[Prepared]) -> Sequence[Text | Speech | MediaError]:
        """How long each is."""
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.batches.append(len(items))
        return [self._said(*item.value) for item in items]

    def warm_up(self) -> None:
        """Counts, and fails as `run` does."""
        self.n_warm_ups += 1
        if self.error is not None:
            raise self.error

    @staticmethod
    def _said(data: bytes, language: str | None) -> Text | MediaError:
        if data == b"unclear":
            return MediaError("not_speech", "nobody speaks")
        return Text(f"{len(data)} bytes", 0.5, language or "en", (TimedWord(f"{len(data)}", 0, 100, 0.5),))


class Humming(Converter):
    """Speaks every text as a tenth of a second of the same tone."""

    name, version, kind, modality = "humming", "2", "speech", "text"

    def prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        """The text."""
        return Prepared(data.decode(), cost=100)

    def run(self, items: Sequence[Prepared]) -> Sequence[Text | Speech | MediaError]:
        """440 Hz."""
        tone = np.sin(np.arange(1_600) * 2 * np.pi * 440 / 16_000).astype(np.float32) * 0.5
        return [Speech(tone, 16_000, "en") for _ in items]


class SlowSpelling(Spelling):
    """In a worker of its own: takes `CONVERT_MS` a batch, and waits while the file `CONVERT_GATE` is there."""

    def run(self, items: Sequence[Prepared]) -> Sequence[Text | Speech | MediaError]:
        """As `Spelling`, later."""
        time.sleep(float(os.environ.get("CONVERT_MS", "20")) / 1_000)
        gate = os.environ.get("CONVERT_GATE", "")
        while gate and Path(gate).exists():
            time.sleep(0.005)
        return super().run(items)


class Gate:
    """The file before which `SlowSpelling` waits."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def shut(self) -> None:
        """Nothing is transcribed from now on."""
        self.path.touch()

    def open(self) -> None:
        """Go on."""
        self.path.unlink()
