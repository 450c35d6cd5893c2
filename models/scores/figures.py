"""Shares of hits with their intervals over concepts, paired with what they are compared with; and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from models.scores.outcomes import Found
from models.training.bootstrap import interval


class Row(msgspec.Struct, frozen=True):
    """One line: how often `what` was right, over `n` concepts, with its 95 % interval.

    beside: what it is compared with over the same concepts; gap: how much better it is, with the paired interval.
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


def row(what: str, mine: Found, beside: str = "", other: Found | None = None) -> Row:
    """The line of `mine`, compared with `other` where it is given: over the concepts that both were asked about."""
    asked = ~np.isnan(mine)
    low, high = interval(mine[asked])
    out = Row(what, int(asked.sum()), float(mine[asked].mean()), low, high)
    if other is None:
        return out
    gap = mine - other
    gap = gap[~np.isnan(gap)]
    gap_low, gap_high = interval(gap)
    return msgspec.structs.replace(out, beside=beside, gap=float(gap.mean()), gap_low=gap_low, gap_high=gap_high)


def beside_parts(by_kind: Mapping[str, Found]) -> list[Row]:
    """A line for each kind of set, over the concepts that all kinds were asked about, each beside its best part."""
    asked = ~np.isnan(np.stack(list(by_kind.values()))).any(0)
    of = {kind: np.where(asked, found, np.nan) for kind, found in by_kind.items()}
    rows: list[Row] = []
    for kind, mine in of.items():
        parts = [other for other in of if other != kind and set(other.split("+")) < set(kind.split("+"))]
        if parts:
            best = max(parts, key=lambda part: float(np.nanmean(of[part])))
            rows.append(row(kind, mine, best, of[best]))
        else:
            rows.append(row(kind, mine))
    return rows


def table(rows: Sequence[Row], what: str = "lanes", beside: str = "best part") -> str:
    """The rows as a Markdown table."""
    head = f"| {what} | concepts | top-1 | 95 % interval | {beside} | gap to it (95 %) |"
    lines = [head, "|---|---|---|---|---|---|"]
    for r in rows:
        gap = f"{r.gap:+.3f} ({r.gap_low:+.3f} to {r.gap_high:+.3f})" if r.beside else ""
        lines.append(f"| {r.what} | {r.n} | {r.share:.3f} | {r.low:.3f}-{r.high:.3f} | {r.beside} | {gap} |")
    return "\n".join(lines)
