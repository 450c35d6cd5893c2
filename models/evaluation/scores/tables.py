"""The tables of one or more reports. Seeds are averaged within each concept; intervals are over concepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from models.evaluation.figures import interval
from models.evaluation.protocol import concepts
from models.evaluation.scores.answers_found import Found, ScoresReport, mean_found
from models.evaluation.scores.examine import oracle
from syncline.errors import SettingsError

_NAMES = {"what": "kind", "n": "n_concepts", "share": "top1", "beside": "best_part"}
"""Field to its name in the JSON of `syncline model evaluate`."""


class ScoreRow(msgspec.Struct, frozen=True, rename=_NAMES.get):
    """How often something was right.

    Attributes:
        what (str): the kind of set or query.
        n (int): how many concepts were asked about.
        share (float): how often it was right, 0 to 1.
        low (float): lower end of the 95 % interval over concepts.
        high (float): upper end of the interval.
        beside (str): what it is compared with, over the same concepts; "" for nothing.
        gap (float): how much better it is. Default 0.0.
        gap_low (float): lower end of the 95 % interval of the paired gap. Default 0.0.
        gap_high (float): upper end of the interval. Default 0.0.
    """

    what: str
    n: int
    share: float
    low: float
    high: float
    beside: str = ""
    gap: float = 0.0
    gap_low: float = 0.0
    gap_high: float = 0.0


def row(what: str, mine: Found, beside: str = "", other: Found | None = None) -> ScoreRow:
    """The row of `mine`, compared with `other` over the concepts that both were asked about."""
    asked = ~np.isnan(mine)
    low, high = interval(mine[asked])
    out = ScoreRow(what, int(asked.sum()), float(mine[asked].mean()), low, high)
    if other is None:
        return out
    gap = mine - other
    gap = gap[~np.isnan(gap)]
    gap_low, gap_high = interval(gap)
    return msgspec.structs.replace(out, beside=beside, gap=float(gap.mean()), gap_low=gap_low, gap_high=gap_high)


def beside_parts(by_kind: Mapping[str, Found]) -> list[ScoreRow]:
    """A row for each kind of set, beside its best part; over the concepts that all kinds were asked about."""
    asked = ~np.isnan(np.stack(list(by_kind.values()))).any(0)
    of = {kind: np.where(asked, found, np.nan) for kind, found in by_kind.items()}
    rows: list[ScoreRow] = []
    for kind, mine in of.items():
        parts = [other for other in of if other != kind and set(other.split("+")) < set(kind.split("+"))]
        if parts:
            best = max(parts, key=lambda part: float(np.nanmean(of[part])))
            rows.append(row(kind, mine, best, of[best]))
        else:
            rows.append(row(kind, mine))
    return rows


def table(rows: Sequence[ScoreRow], what: str = "lanes", beside: str = "best part") -> str:
    """The rows as a Markdown table."""
    head = f"| {what} | concepts | top-1 | 95 % interval | {beside} | gap to it (95 %) |"
    lines = [head, "|---|---|---|---|---|---|"]
    for r in rows:
        gap = f"{r.gap:+.3f} ({r.gap_low:+.3f} to {r.gap_high:+.3f})" if r.beside else ""
        lines.append(f"| {r.what} | {r.n} | {r.share:.3f} | {r.low:.3f}-{r.high:.3f} | {r.beside} | {gap} |")
    return "\n".join(lines)


LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}
BARS = {"image": 0.45, "audio": 0.65, "image+audio": 0.80}
ERROR_RATIO_BAR = 0.7
SPECIALIST_BAR = -0.02
ZERO_SHOT_BARS = {"speech": 0.55, "picture by sentences": 0.20}


def fusion_rows(reports: Sequence[ScoresReport], section: str, *, all_concepts: bool = False) -> list[ScoreRow]:
    """A line for each kind of set of one section; over all concepts only the kinds without text."""
    kinds = [kind for kind in reports[0].outcomes[section] if not (all_concepts and "text" in kind)]
    return beside_parts({kind: mean_found(reports, section, kind) for kind in kinds})


def compared_rows(reports: Sequence[ScoresReport], section: str, other: str, name: str) -> list[ScoreRow]:
    """The kinds that two sections share, the first beside the second, of the seeds that have both."""
    both = [report for report in reports if other in report.outcomes]
    shared = [kind for kind in both[0].outcomes[section] if kind in both[0].outcomes[other]] if both else []
    return [row(kind, mean_found(both, section, kind), name, mean_found(both, other, kind)) for kind in shared]


def seeds_table(
    rows_of: Callable[[Sequence[ScoresReport]], list[ScoreRow]], reports: Sequence[ScoresReport], what: str
) -> str:
    """How often the model of each seed is right."""
    by_seed = [rows_of([report]) for report in reports]
    lines = [f"| {what} | " + " | ".join(f"seed {report.seed}" for report in reports) + " |"]
    lines.append("|---" * (len(reports) + 1) + "|")
    lines += [
        f"| {of[0].what} | " + " | ".join(f"{r.share:.3f}" for r in of) + " |" for of in zip(*by_seed, strict=True)
    ]
    return "\n".join(lines)


def zero_shot_rows(reports: Sequence[ScoresReport]) -> list[ScoreRow]:
    """A line for each kind of question to a model that was not taught these concepts."""
    return [row(kind, mean_found(reports, "zero-shot", kind)) for kind in reports[0].outcomes["zero-shot"]]


def error_ratio(reports: Sequence[ScoresReport], section: str) -> tuple[str, float]:
    """The best single lane of a section, and the error of all three as a share of that lane's."""
    error = {r.what: 1 - r.share for r in fusion_rows(reports, section)}
    best = min(("image", "text", "audio"), key=lambda lane: error[lane])
    return best, error["image+text+audio"] / error[best]


def oracle_share(language: str) -> tuple[float, int]:
    """How often the oracle is right by the tag, and over how many concepts."""
    shares = [share for share in oracle(concepts(), language) if share is not None]
    return float(np.mean(shares)), len(shares)


def retrieval_table(reports: Sequence[ScoresReport], section: str) -> str:
    """Six directions with R@1, R@5 and R@10."""
    lines = ["| direction | queries | among | R@1 | 95 % interval | R@5 | R@10 |", "|---|---|---|---|---|---|---|"]
    for direction in reports[0].outcomes[section]:
        first = row(direction, mean_found(reports, section, direction))
        five, ten = (np.nanmean(mean_found(reports, section, direction, k)) for k in (5, 10))
        among = reports[0].n_among[section][direction]
        interval = f"{first.low:.3f}-{first.high:.3f}"
        lines.append(f"| {direction} | {first.n} | {among} | {first.share:.3f} | {interval} | {five:.3f} | {ten:.3f} |")
    return "\n".join(lines)


def parts(reports: Sequence[ScoresReport]) -> dict[str, str]:
    """Every table of the protocol for which the reports have outcomes, by its title."""
    have = reports[0].outcomes
    out: dict[str, str] = {}
    if "clean en" in have:
        out |= _fusion_parts(reports)
    for section in ("clean en", "clean zh", "degraded en"):
        if f"sum {section}" in have:
            rows = compared_rows(reports, section, f"sum {section}", "the sum")
            out[f"Fusion beside the calibrated sum, {section}"] = table(rows, beside="beside")
    if specialists := compared_rows(reports, "clean en", "specialists", "its specialist"):
        out["Fusion beside a specialist for each pair"] = table(specialists, beside="beside")
    for kind in ("label", "tag"):
        for language, name in LANGUAGE_NAMES.items():
            if f"find {kind} {language}" in have:
                out[f"Retrieval, text is the {kind} in {name}"] = retrieval_table(reports, f"find {kind} {language}")
    if "zero-shot" in have:
        out["Zero-shot, among 100 concepts"] = table(zero_shot_rows(reports), what="query")
        if len(reports) > 1:
            out["Each seed: zero-shot"] = seeds_table(zero_shot_rows, reports, "query")
    return out


def _fusion_parts(reports: Sequence[ScoresReport]) -> dict[str, str]:
    out = {"Clean, all concepts": table(fusion_rows(reports, "clean en", all_concepts=True))}
    for condition in ("clean", "degraded", "typos", "conflicting"):
        for language, name in LANGUAGE_NAMES.items():
            out[f"{condition.capitalize()}, {name}"] = table(fusion_rows(reports, f"{condition} {language}"))
    if len(reports) > 1:
        for condition in ("clean", "degraded"):
            rows_of = partial(fusion_rows, section=f"{condition} en")
            out[f"Each seed: {condition}, English"] = seeds_table(rows_of, reports, "lanes")
    return out


def notes(reports: Sequence[ScoresReport]) -> list[str]:
    """What is said beside the tables."""
    lines: list[str] = []
    if "degraded en" not in reports[0].outcomes:
        return lines
    for language, name in LANGUAGE_NAMES.items():
        best, ratio = error_ratio(reports, f"degraded {language}")
        share, n = oracle_share(language)
        alone = row("text", mean_found(reports, f"clean {language}", "text")).share
        lines.append(f"{name}: degraded, all three err {ratio:.2f} times as often as {best}, the best lane.")
        lines.append(f"{name}: a tag-lookup oracle is right for {share:.3f} of {n} concepts; text alone {alone:.3f}.")
    return lines


BEGIN, END = "<!-- tables: `python -m models.evaluation.scores --card` writes them -->", "<!-- end of tables -->"


def write_card(path: Path, groups: Sequence[Sequence[ScoresReport]]) -> None:
    """Replace the tables on a card. `groups`: reports of the seeds of each kind of model.

    Raises:
        SettingsError: the card lacks the marks.
    """
    card = path.read_text("utf-8")
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SettingsError("--card", str(path), f"a file with the lines {BEGIN} and {END}")
    path.write_text(before + BEGIN + "\n\n" + "".join(map(_tables, groups)) + END + after, "utf-8")


def _tables(reports: Sequence[ScoresReport]) -> str:
    seeds = ", ".join(str(report.seed) for report in reports)
    made = "".join(f"### {title}\n\n{tables}\n\n" for title, tables in parts(reports).items())
    said = "".join(f"{line}\n\n" for line in notes(reports))
    return f"{made}{said}(Seed{'s' if len(reports) > 1 else ''} {seeds}.)\n\n"
