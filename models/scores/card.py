"""The tables of a model's card, written between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.scores.outcomes import Report
from models.scores.tables import notes, parts
from syncline.errors import SettingsError

BEGIN, END = "<!-- tables: `python -m models.scores --card` writes them -->", "<!-- end of tables -->"


def write_card(path: Path, groups: Sequence[Sequence[Report]]) -> None:
    """Put the tables of each group of reports (the seeds of one kind of model) in the place of those on the card.

    Raises SettingsError where the card lacks the marks.
    """
    card = path.read_text("utf-8")
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SettingsError("--card", str(path), f"a file with the lines {BEGIN} and {END}")
    path.write_text(before + BEGIN + "\n\n" + "".join(map(_tables, groups)) + END + after, "utf-8")


def _tables(reports: Sequence[Report]) -> str:
    seeds = ", ".join(str(report.seed) for report in reports)
    made = "".join(f"### {title}\n\n{tables}\n\n" for title, tables in parts(reports).items())
    said = "".join(f"{line}\n\n" for line in notes(reports))
    return f"{made}{said}(Seed{'s' if len(reports) > 1 else ''} {seeds}.)\n\n"
