"""Evaluates a model and a converter on a manifest: all tasks that its fields allow, in all and by language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from models import registry
from models.evaluation.answers import Answers, ask
from models.evaluation.labels import score_labels
from models.evaluation.manifest import BrokenMedia, EvaluationRow, read_manifest
from models.evaluation.report import EvaluationReport, Section
from models.evaluation.retrieval import score_retrieval
from models.evaluation.transcripts import HeardClip, score_transcripts, transcribe
from models.interface import Converter, Model
from models.registry import open_converter, parse_spec
from syncline.errors import MissingExtraError, SettingsError

TASKS = ("labels", "retrieval", "transcript")
NEEDS = {
    "labels": "lines with a label and one of image, text, audio",
    "retrieval": "at least two lines with the same two of image, text, audio",
    "transcript": "lines with audio and transcript",
}

ShowProgress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Takes a title and a total; yields a function that takes how many are done (`syncline.cli.progress`)."""


def evaluate_manifest(
    path: Path, model_name: str, wanted: Sequence[str], convert: str, show_progress: ShowProgress
) -> EvaluationReport:
    """Score a manifest.

    Args:
        path (Path): the manifest.
        model_name (str): as `models.registry.load` takes it.
        wanted (Sequence[str]): tasks; none: all that the fields allow and that is installed.
        convert (str): as `models.registry.parse_spec` takes it.
        show_progress (ShowProgress): shows how far it is.

    Raises:
        SettingsError: the manifest, a task, the model or the converter is wrong.
        MissingExtraError: a wanted task needs a pip extra.
    """
    rows = read_manifest(path)
    tasks = tasks_of(rows, wanted)
    notes: list[str] = []
    converter = _converter(tasks, convert, notes, insist=bool(wanted))
    model = registry.load(model_name) if {"labels", "retrieval"} & set(tasks) else None
    answers, heard, broken = _answer(path, rows, model, converter, show_progress)
    sections = [
        _section(
            language, [row.line for row in rows if language in ("", row.entry.language)], tasks, model, answers, heard
        )
        for language in _languages(rows)
    ]
    if "retrieval" in tasks and not sections[0].retrieval and model is not None:
        notes.append("retrieval was not scored: the model gave embeddings for fewer than two lines")
    return EvaluationReport(
        str(path), len(rows), tasks, model.name if model else "", model.version if model else "",
        f"{converter.name} {converter.version}" if converter else "", sections, broken, notes,
    )  # fmt: skip


def tasks_of(rows: Sequence[EvaluationRow], wanted: Sequence[str]) -> list[str]:
    """The tasks to do.

    Raises:
        SettingsError: a task is unknown, or the fields do not allow it.
    """
    entries = [row.entry for row in rows]
    pairs = [lanes for e in entries if len(lanes := e.lanes()) > 1]
    allowed = {
        "labels": any(e.label for e in entries),
        "retrieval": any(sum({a, b} <= set(lanes) for lanes in pairs) > 1 for a, b in _PAIRS),
        "transcript": any(e.audio and e.transcript for e in entries),
    }
    for task in wanted:
        if task not in TASKS:
            raise SettingsError("--task", task, ", ".join(TASKS))
        if not allowed[task]:
            raise SettingsError("--task", task, f"a manifest that has {NEEDS[task]}")
    tasks = [task for task in TASKS if allowed[task] and (task in wanted or not wanted)]
    if not tasks:
        raise SettingsError("manifest", "none of this", "; or ".join(NEEDS.values()))
    return tasks


_PAIRS = (("image", "text"), ("image", "audio"), ("text", "audio"))


def _converter(tasks: list[str], convert: str, notes: list[str], *, insist: bool) -> Converter | None:
    """The converter that the tasks need. Unless `insist`, a task that cannot be done is dropped with a note."""
    if "transcript" not in tasks:
        return None
    spec = parse_spec(convert)
    if spec.kind != "transcript":
        raise SettingsError("--convert", convert, "a spec of kind transcript, such as transcript=whisper:FOLDER")
    try:
        return open_converter(spec)
    except (MissingExtraError, SettingsError) as error:
        if insist or len(tasks) == 1:
            raise
        tasks.remove("transcript")
        notes.append(f"transcripts were not scored: {error}")
        return None


def _answer(
    path: Path, rows: list[EvaluationRow], model: Model | None, converter: Converter | None, show_progress: ShowProgress
) -> tuple[Answers | None, list[HeardClip], list[BrokenMedia]]:
    answers, heard, broken = None, list[HeardClip](), list[BrokenMedia]()
    if model is not None:
        with show_progress(f"asking {model.name}", len(rows)) as advance:
            answers = ask(model, rows, path.parent, advance)
            broken += answers.broken
    if converter is not None:
        clips = [row for row in rows if row.entry.audio and row.entry.transcript]
        with show_progress(f"transcribing with {converter.name}", len(clips)) as advance:
            heard, silent = transcribe(converter, clips, path.parent, advance)
            known = {(b.line, b.field, b.reason) for b in broken}
            broken += [b for b in silent if (b.line, b.field, b.reason) not in known]
    return answers, heard, sorted(broken, key=lambda b: b.line)


def _languages(rows: Sequence[EvaluationRow]) -> list[str]:
    """ "" for all, then each language where the lines have more than one."""
    named = sorted({row.entry.language for row in rows} - {""})
    return ["", *named] if len(named) > 1 else [""]


def _section(
    language: str,
    lines: Sequence[int],
    tasks: Sequence[str],
    model: Model | None,
    answers: Answers | None,
    heard: Sequence[HeardClip],
) -> Section:
    mine = set(lines)
    some = None if answers is None else answers.of([i for i, row in enumerate(answers.rows) if row.line in mine])
    clips = [h for h in heard if h.row.line in mine]
    return Section(
        language,
        len(lines),
        score_labels(model, some) if some is not None and model is not None and "labels" in tasks else None,
        score_retrieval(some) if some is not None and "retrieval" in tasks else None,
        score_transcripts(clips) if clips else None,
    )
