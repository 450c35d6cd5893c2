"""What is told of a run: a line a step, with what must hold and what was seen."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_INDENT = 17 * " "


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a run: what was done, what must hold afterwards, what was seen, and for how long it took.

    load: processes that wanted a core, over the last minute: what else the machine had to do.
    """

    what: str
    must: str
    seen: str
    held: bool
    took_s: float = 0.0
    load: float = 0.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of a run. `base_images`: `pulled`, or `stand-ins` where no registry was reached."""

    engine: str
    base_images: str
    steps: tuple[Step, ...]

    @property
    def held(self) -> bool:
        """Whether every step held, and there was one."""
        return bool(self.steps) and all(step.held for step in self.steps)


def table(steps: Sequence[Step]) -> str:
    """The steps as a Markdown table, as in docs/guarantees.md."""
    rows = ["| step | must hold | seen | s | load | |", "|---|---|---|---|---|---|"]
    for step in steps:
        verdict = "held" if step.held else "**FAILED**"
        rows.append(f"| {step.what} | {step.must} | {step.seen} | {step.took_s:.0f} | {step.load:.0f} | {verdict} |")
    return "\n".join(rows)


def line(step: Step) -> str:
    """One step for a terminal, as it ends."""
    verdict = "held  " if step.held else "FAILED"
    head = f"{verdict} {step.took_s:5.0f} s  {step.what}"
    return "\n".join([head, f"{_INDENT}must: {step.must}", f"{_INDENT}seen: {step.seen}"])
