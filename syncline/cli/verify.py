"""`syncline verify`: read a deployment's topics back and judge whether every record came to exactly one outcome."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.settings import WorkerSettings
from syncline.cli.options import with_settings
from syncline.cli.progress import show_progress
from syncline.kafka.cluster import Cluster
from syncline.send_log import Send, read_send_log

if TYPE_CHECKING:
    from verify import History, Report, Violation

app = typer.Typer(add_completion=False)


@app.command()
@with_settings(
    WorkerSettings,
    "brokers",
    "security",
    "group",
    "topic_prefix",
    "max_event_bytes",
    "join",
    "convert",
    "convert_streams",
)
def verify(
    *,
    settings: WorkerSettings,
    finished: Annotated[
        bool,
        typer.Option(
            "--finished/--live",
            help="Finished: every sent record must have its outcome. Live: uncommitted ones may be pending.",
        ),
    ] = False,
    send_log: Annotated[
        list[Path] | None,
        typer.Option(help="A producer's log of its sends, see `syncline produce --send-log`; repeatable."),
    ] = None,
    max_shown: Annotated[int, typer.Option(min=0, help="Violations to print of each kind.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Read all topics back and judge them: outcomes, decisions, repeats, order, commits, sends.

    Give the workers' settings: decisions and conversions are judged by them. Nothing is written, and no group is
    joined. Exit code 0 without violations, 1 with some, 2 for wrong usage.
    """
    sends = [send for path in send_log or () for send in read_send_log(path)]
    history = asyncio.run(_read(settings, sends))
    report = _check(history, settings, finished)
    smallest = _smallest(history, report, settings, finished)
    if as_json:
        typer.echo(json.dumps(report.as_dict() | {"smallest": smallest}))
    else:
        for line in _lines(report, smallest, max_shown):
            typer.echo(line)
    if not report.ok:
        raise typer.Exit(1)


async def _read(settings: WorkerSettings, sends: list[Send]) -> History:
    from verify import read_history

    with ExitStack() as stack:
        bars: list[Callable[[int], None]] = []

        def show(n_read: int, n_total: int) -> None:
            if not bars:  # the total is known only now
                bars.append(stack.enter_context(show_progress("reading", n_total)))
            bars[0](n_read)

        return await read_history(
            Cluster.of(settings.brokers, settings.security),
            topic_prefix=settings.topic_prefix,
            group=settings.group,
            sends=sends,
            on_progress=show,
        )


def _check(history: History, settings: WorkerSettings, finished: bool) -> Report:
    from verify import check

    return check(history, settings.join, finished=finished, **_of_workers(settings))


def _of_workers(settings: WorkerSettings) -> dict[str, Any]:
    return {
        "max_event_bytes": settings.max_event_bytes,
        "convert": [spec.kind for spec in settings.converters],
        "convert_streams": settings.convert_streams,
    }


def _smallest(history: History, report: Report, settings: WorkerSettings, finished: bool) -> dict[str, list[str]]:
    """Return the first violation of each kind with the smallest history that shows it."""
    from verify import show, smallest

    firsts: dict[str, Violation] = {}
    for violation in report.violations:
        firsts.setdefault(violation.kind, violation)
    found: dict[str, list[str]] = {}
    for kind, violation in firsts.items():
        part = smallest(history, violation, settings.join, finished=finished, **_of_workers(settings))
        found[kind] = [str(violation), *show(part)]
    return found


def _lines(report: Report, smallest: dict[str, list[str]], max_shown: int) -> list[str]:
    lines = report.lines()
    for kind, n_found in report.n_by_kind.items():
        shown = [str(violation) for violation in report.violations if violation.kind == kind][:max_shown]
        lines += ["", *shown]
        if n_found > len(shown):
            lines.append(f"{kind}: {n_found - len(shown)} more")
        if shown:
            lines += ["the smallest history that shows the first:", *(f"  {line}" for line in smallest[kind][1:])]
    return lines
