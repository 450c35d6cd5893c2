"""What is told of runs: a line each, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from tests.guarantees.plan import Plan

_HEADER = (
    f"{'seed':>5}  {'records':>7} {'complete':>8} {'partial':>7} {'unfused':>7} {'dead':>5} "
    f"{'forced':>6} {'repeats':>7} {'void':>5} {'late':>5} {'after':>5} {'wrong':>5} {'s':>5}  faults"
)


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `n_records`: read back from the media topics; `n_unknown`: sends of which nobody knows.
    `n_forced`: sets that pressure decided. `n_late`: records without an outcome when the time for it was over, which
    is a violation of liveness; `settled_s`: after the last fault, until each record had its outcome.

    `violations`: sentences. `saved`: the folder with its history and the workers' logs, where there is a violation.
    """

    seed: int
    broker: str
    strategy: str
    faults: tuple[str, ...]
    violations: tuple[str, ...]
    seconds: float
    n_records: int = 0
    n_unknown: int = 0
    n_complete: int = 0
    n_partial: int = 0
    n_unfused: int = 0
    n_dead_letters: int = 0
    n_forced: int = 0
    n_repeats: int = 0
    n_void: int = 0
    n_late: int = 0
    settled_s: float = 0.0
    saved: str = ""

    @staticmethod
    def failed(plan: Plan, error: Exception) -> RunResult:
        """A run that could not be made."""
        return RunResult(
            seed=plan.seed,
            broker=plan.broker_kind,
            strategy=plan.join.strategy,
            faults=tuple(map(str, plan.faults)),
            violations=(f"the run could not be made: {error!r}",),
            seconds=0.0,
        )

    def line(self) -> str:
        """The run in one line, under `header`."""
        n_wrong = len(self.violations)
        return (
            f"{self.seed:>5}  {self.n_records:>7} {self.n_complete:>8} {self.n_partial:>7} {self.n_unfused:>7} "
            f"{self.n_dead_letters:>5} {self.n_forced:>6} {self.n_repeats:>7} {self.n_void:>5} {self.n_late:>5} "
            f"{self.settled_s:>5.1f} {n_wrong:>5} {self.seconds:>5.0f}  {self.strategy}: {', '.join(self.faults)}"
        )


def header() -> str:
    """The head of the lines."""
    return _HEADER


def summary(results: Sequence[RunResult]) -> str:
    """All runs in a few words."""
    n_faults = sum(len(result.faults) for result in results)
    n_wrong = sum(bool(result.violations) for result in results)
    return (
        f"{len(results)} runs on {results[0].broker}, {n_faults} faults, {sum(r.n_records for r in results)} records, "
        f"{sum(r.n_complete + r.n_partial for r in results)} sets, {sum(r.n_repeats for r in results)} repeats, "
        f"{sum(r.n_void for r in results)} void batches; {n_wrong} runs with violations, "
        f"{sum(r.n_late > 0 for r in results)} of liveness; "
        f"all decided at most {max(r.settled_s for r in results):.1f} s after the last fault; "
        f"median {median(r.seconds for r in results):.0f} s a run"
    )
