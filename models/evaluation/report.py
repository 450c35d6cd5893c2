"""The report on a manifest: as JSON for programs, as tables for readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from models.evaluation.figures import Figure
from models.evaluation.labels import Labels
from models.evaluation.manifest import BrokenMedia
from models.evaluation.retrieval import Direction
from models.evaluation.transcripts import Transcripts

N_NAMED = 10
"""How many broken files the text lists; the JSON lists all."""


class Section(msgspec.Struct, frozen=True):
    """The figures of one language; "" for all languages."""

    language: str
    n_lines: int
    labels: Labels | None = None
    retrieval: list[Direction] | None = None
    transcript: Transcripts | None = None


class EvaluationReport(msgspec.Struct, frozen=True):
    """What `syncline model evaluate MANIFEST.jsonl` prints and writes. notes: what was not scored, and why."""

    manifest: str
    n_lines: int
    tasks: list[str]
    model: str
    version: str
    converter: str
    sections: list[Section]
    broken: list[BrokenMedia]
    notes: list[str]

    def has_figures(self) -> bool:
        """Whether anything could be scored."""
        return any(
            (s.labels is not None and s.labels.rows) or s.retrieval or (s.transcript and s.transcript.n)
            for s in self.sections
        )


def as_text(report: EvaluationReport) -> str:
    """The report as tables."""
    by = [f"model {report.model} {report.version}"] if report.model else []
    by += [f"converter {report.converter}"] if report.converter else []
    parts = [f"{report.manifest}: {report.n_lines} lines; {', '.join(by)}", *_broken(report.broken)]
    parts += [f"note: {note}" for note in report.notes]
    for section in report.sections:
        parts += [_section(section, several=len(report.sections) > 1)]
    return "\n".join(parts)


def _broken(broken: Sequence[BrokenMedia]) -> list[str]:
    if not broken:
        return []
    counts = ", ".join(f"{n} {reason}" for reason, n in Counter(b.reason for b in broken).most_common())
    named = [f"  line {b.line}, {b.id}, {b.field}: {b.reason}: {b.detail}" for b in broken[:N_NAMED]]
    more = [f"  and {len(broken) - N_NAMED} more (--json has all)"] if len(broken) > N_NAMED else []
    return [f"{len(broken)} could not be used and count nowhere ({counts}):", *named, *more]


def _section(section: Section, *, several: bool) -> str:
    name = f" in {section.language}" if section.language else ""
    lines = ["", f"{section.n_lines} lines{name or ' in all languages'}"] if several else []
    if section.labels is not None and section.labels.rows:
        lines += ["", *_labels(section.labels)]
    if section.retrieval:
        lines += ["", "retrieval: R@k, how often a right one is among the first k", *_retrieval(section.retrieval)]
    if section.transcript is not None and section.transcript.n:
        lines += ["", *_transcript(section.transcript)]
    return "\n".join(lines)


def _labels(labels: Labels) -> list[str]:
    head = f"labels: {labels.n_labels} different ones"
    if labels.unknown:
        shown = ", ".join(labels.unknown[:5]) + (", ..." if len(labels.unknown) > 5 else "")
        head += f", {len(labels.unknown)} of them unknown to the model ({shown})"
    table = [
        "| lanes | lines | top-1, model's labels | top-5 | top-1, manifest's labels | top-5 | best part | gap to it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in labels.rows:
        cells = [row.kind, str(row.n), _cell(row.own), _cell(row.own_at_5, short=True), _cell(row.given)]
        cells += [_cell(row.given_at_5, short=True), row.best_part, _cell(row.gap, signed=True)]
        table.append(f"| {' | '.join(cells)} |")
    return [head, *([labels.note] if labels.note else []), *table]


def _retrieval(directions: Sequence[Direction]) -> list[str]:
    table = ["| from | to | lines | R@1 | R@5 | R@10 |", "|---|---|---|---|---|---|"]
    for d in directions:
        figures = " | ".join(_cell(f) for f in (d.recall_at_1, d.recall_at_5, d.recall_at_10))
        table.append(f"| {d.query} | {d.target} | {d.n} | {figures} |")
    return table


def _transcript(t: Transcripts) -> list[str]:
    lines = [
        f"transcripts of {t.n} clips, {t.n_words} words:",
        f"  word error rate {_cell(t.word_error_rate)}",
        f"  character error rate {_cell(t.character_error_rate)}",
        f"  clips without an error {_cell(t.exact)}",
    ]
    return [*lines, *(f"  {w['id']}: said {w['said'][:80]!r}, heard {w['heard'][:80]!r}" for w in t.worst)]


def _cell(figure: Figure | None, *, signed: bool = False, short: bool = False) -> str:
    if figure is None:
        return "-"
    if short:
        return f"{figure.value:.3f}"
    sign = "+" if signed else ""
    return f"{figure.value:{sign}.3f} ({figure.low:{sign}.3f} to {figure.high:{sign}.3f})"
