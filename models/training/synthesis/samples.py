"""Writes a page that plays the same sentences said by each speaker."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from models.synthesis.checkpoint import Voice, open_voice, read_manifest
from models.synthesis.converter import speak, to_phone_pieces
from models.synthesis.mel import SAMPLE_RATE_HZ, to_sound
from models.synthesis.pronunciation import to_numbers
from models.training.synthesis import corpus
from models.training.synthesis.corpus import Split

Samples = npt.NDArray[np.float32]
TEACHER, STUDENT_OF_PHONES, STUDENT = "teacher", "student, teacher's phones", "student, from text"
Speaker = Callable[[Split, int], Samples]
"""Says sentence i of a split."""


def speakers(voice: Voice) -> dict[str, Speaker]:
    """Name -> who says it, in the order of the table."""
    return {
        TEACHER: lambda split, i: split.samples[i],
        "Griffin-Lim of the teacher": lambda split, i: _sound(torch.from_numpy(split.log_mels[i])),
        "autoencoder's copy": lambda split, i: _sound(voice.speech.copy(torch.from_numpy(split.log_mels[i]))),
        STUDENT_OF_PHONES: lambda split, i: say_phones(split.spoken[i].phones, split.spoken[i].n_frames, voice),
        STUDENT: lambda split, i: say_text(split.spoken[i].sentence, voice),
    }


def say_text(text: str, voice: Voice) -> Samples:
    """What the converter says: one sentence after the other."""
    return np.concatenate(speak(to_phone_pieces(text, voice), voice))


def say_phones(phones: list[str], n_frames: list[int], voice: Voice) -> Samples:
    """What the student says who is told the phones and how long each lasts."""
    numbers = torch.tensor([to_numbers(phones)])
    mel = voice.speech.speak(numbers, torch.tensor([len(phones)]), torch.tensor([n_frames])).mel[0]
    return _sound(mel)


def _sound(log_mel: torch.Tensor) -> Samples:
    return to_sound(log_mel).numpy()


N_SENTENCES = 3
"""Of each set: the first ones that are short enough."""

MAX_S = 4.5
FOLDER = "speech"

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Syncline: speech samples</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }}
  table {{ border-collapse: collapse }}
  th, td {{ text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #ccc; vertical-align: middle }}
  td:first-child {{ min-width: 15rem }}
  audio {{ width: 9rem }}
</style>
<h1>Speech samples</h1>
<p>Sentences of the two test sets, none of them learned from. The teacher is flite's voice slt; the student has only the
text. How the voice works: <a href="speech.md">speech.md</a>. Figures: <a href="../models/synthesis/CARD.md">its
card</a>.
This page is written by <code>python -m models.training.synthesis samples</code>.</p>
<table>
<tr><th>sentence</th>{head}</tr>
{rows}
</table>
</html>
"""


def write_page(model: Path, corpus_dir: Path, out: Path) -> Path:
    """Write `out/speech-samples.html` and its clips, `out/speech/*.ogg`. Raises SettingsError for a broken model."""
    people = speakers(open_voice(model, read_manifest(model)))
    folder = corpus.build(corpus_dir)
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    rows = [row for name in corpus.TESTS for row in _rows(name, corpus.read(folder, name), people, out)]
    head = "".join(f"<th>{html.escape(who)}</th>" for who in people)
    page = out / "speech-samples.html"
    page.write_text(_PAGE.format(head=head, rows="\n".join(rows)))
    return page


def _rows(name: str, split: corpus.Split, people: dict[str, Speaker], out: Path) -> list[str]:
    short = [i for i, spoken in enumerate(split.spoken) if spoken.n_samples < MAX_S * SAMPLE_RATE_HZ][:N_SENTENCES]
    rows: list[str] = []
    for i in short:
        cells: list[str] = []
        for n, speaker in enumerate(people.values()):
            path = f"{FOLDER}/{name}-{i}-{n}.ogg"
            _write(out / path, speaker(split, i))
            cells.append(f'<td><audio controls preload="none" src="{path}"></audio></td>')
        rows.append(f"<tr><td>{html.escape(split.spoken[i].sentence)}</td>{''.join(cells)}</tr>")
    return rows


def _write(path: Path, samples: npt.NDArray[np.float32]) -> None:
    soundfile.write(path, samples, SAMPLE_RATE_HZ, format="OGG", subtype="VORBIS")
