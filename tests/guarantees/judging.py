"""What the checker says of a run, and what is kept of one in which something is wrong."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from tests.guarantees.plan import Plan
from tests.guarantees.results import RunResult
from tests.guarantees.settling import Settled
from tests.guarantees.stage import Stage
from verify import CommitSample, History, Report, check, read_history, show, smallest

HISTORY, PLAN = "history.pickle", "plan.json"


async def judge(stage: Stage, commits: Sequence[CommitSample]) -> tuple[History, Report]:
    """Read a run's topics back and judge them, with what was noted beside them."""
    address, sends = stage.broker.address, stage.sender.log
    history = await read_history(address, topic_prefix=stage.prefix, sends=sends, commits=commits)
    return history, check(history, stage.plan.join, convert=stage.plan.convert)


def result_of(
    stage: Stage, history: History, report: Report, problems: Sequence[str], settled: Settled, seconds: float
) -> RunResult:
    """One run in figures; a run in which something is wrong is kept in a folder."""
    plan, counts = stage.plan, report.counts
    decisions, records = counts.get("decisions", {}), counts.get("records", {})
    violations = (*problems, *map(str, report.violations))
    return RunResult(
        seed=plan.seed,
        broker=plan.broker_kind,
        strategy=plan.join.strategy,
        faults=tuple(map(stage.said_of, plan.faults)),
        n_records=sum(records.values()),
        n_unknown=stage.sender.counts()["unknown"],
        n_complete=_sum(decisions, "set, complete"),
        n_partial=_sum(decisions, "set, partial"),
        n_unfused=_sum(records, "unfused"),
        n_dead_letters=_sum(records, "deadletter"),
        n_forced=decisions.get("set, partial by pressure", 0) + decisions.get("set, complete by pressure", 0),
        n_repeats=n_repeats(report),
        n_void=counts.get("log", {}).get("void batches", 0),
        n_late=settled.n_late,
        settled_s=settled.after_s,
        violations=violations,
        seconds=seconds,
        saved=_save(stage, history, report, problems) if violations else "",
    )


def n_repeats(report: Report) -> int:
    """How many records of the result topics say again what was said before."""
    return sum(report.counts.get("repeats", {}).values())


def judge_saved(folder: Path) -> tuple[bool, list[str]]:
    """Judge a kept history once more; whether all is well, and the report: table, smallest histories, violations."""
    plan = msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan)
    history: History = pickle.loads((folder / HISTORY).read_bytes())  # noqa: S301 (our own file)
    report = check(history, plan.join, convert=plan.convert)
    return report.ok, list(_tell(history, report, plan))


def _tell(history: History, report: Report, plan: Plan) -> Iterator[str]:
    yield from report.lines()
    firsts = {violation.kind: violation for violation in reversed(report.violations)}
    for violation in firsts.values():
        yield f"\n{violation}\nThe smallest history that shows it:"
        yield from show(smallest(history, violation, plan.join, convert=plan.convert))
    yield ""
    yield from map(str, report.violations)


def _sum(rows: Mapping[str, int], start: str) -> int:
    return sum(n for row, n in rows.items() if row.startswith(start))


def _save(stage: Stage, history: History, report: Report, problems: Sequence[str]) -> str:
    folder = Path(tempfile.mkdtemp(prefix=f"syncline-{stage.plan.broker_kind}-{stage.plan.seed}-"))
    (folder / PLAN).write_bytes(msgspec.json.encode(stage.plan))
    (folder / HISTORY).write_bytes(pickle.dumps(history))
    (folder / "report.txt").write_text("\n".join([*problems, *_tell(history, report, stage.plan)]) + "\n")
    for number, worker in stage.pool.all.items():
        (folder / f"worker-{number}.log").write_text(worker.log())
    return str(folder)
