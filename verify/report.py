"""The checker's report: violations, and a table of counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

Place = tuple[str, int]
"""(topic without prefix, offset) in one partition number."""

KINDS = {
    "no outcome": "a record without an outcome",
    "two outcomes": "a record with more than one outcome",
    "no conversion": "a record without a conversion that the workers were told to make",
    "wrong decision": "a decision that the join does not make from the same logs",
    "illegal decision": "a decision by timeout or pressure outside the rules",
    "void effect": "a published record that no valid decision accounts for",
    "differing repeat": "a result published again with other content",
    "out of order": "a stream's results first published in another order than decided",
    "early commit": "an offset committed above a record without its outcome on the broker",
    "lost write": "an acknowledged send whose record does not exist",
    "aborted record": "an outcome of a record whose transaction was aborted or is open",
    "unknown record": "a decision or result that names a record that does not exist",
}
"""All kinds of violations, in display order."""

MAX_KEPT = 1_000
"""Limit of violations of one kind that are kept; all are counted."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One broken guarantee. Places are in `partition`; `log_offsets` are of its decision log."""

    kind: str
    sentence: str
    partition: int
    stream: str = ""
    records: tuple[Place, ...] = ()
    log_offsets: tuple[int, ...] = ()
    results: tuple[Place, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: partition {self.partition}: {self.sentence}"


class Report:
    """Violations in the order found, and counts by section and row."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.n_by_kind: Counter[str] = Counter()
        self.counts: dict[str, Counter[str]] = {}

    @property
    def ok(self) -> bool:
        """Whether there is no violation."""
        return not self.n_by_kind

    def add(self, violation: Violation) -> None:
        """Count a violation, and keep it unless there are too many of its kind."""
        self.n_by_kind[violation.kind] += 1
        if self.n_by_kind[violation.kind] <= MAX_KEPT:
            self.violations.append(violation)

    def count(self, section: str, row: str, n: int = 1) -> None:
        """Add `n` to one row of the table."""
        if n:
            self.counts.setdefault(section, Counter())[row] += n

    def lines(self) -> list[str]:
        """Return the table as lines: section, row, count; then the number of violations by kind."""
        rows = [
            (section, row, str(n)) for section, counter in self.counts.items() for row, n in sorted(counter.items())
        ]
        rows += [("violations", kind, str(self.n_by_kind[kind])) for kind in KINDS if self.n_by_kind[kind]]
        rows += [] if self.n_by_kind else [("violations", "none", "0")]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines: list[str] = []
        section = ""
        for row in rows:
            shown = "" if row[0] == section else row[0]
            section = row[0]
            lines.append(f"{shown:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}")
        return lines

    def table(self) -> str:
        """Return `lines` as one text."""
        return "\n".join(self.lines())

    def as_dict(self) -> dict[str, Any]:
        """Return whether all is well, counts and violations, for JSON."""
        return {
            "ok": self.ok,
            "counts": {section: dict(rows) for section, rows in self.counts.items()},
            "violations_by_kind": dict(self.n_by_kind),
            "violations": [msgspec.to_builtins(violation) for violation in self.violations],
        }
