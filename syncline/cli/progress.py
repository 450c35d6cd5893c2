"""Progress of long work on stderr: a bar on a terminal, otherwise a plain line at intervals."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

PLAIN_INTERVAL_S = 5.0


@contextmanager
def show_progress(what: str, n_total: int) -> Generator[Callable[[int], None]]:
    """Yield a function to call with how many of `n_total` are done."""
    if sys.stderr.isatty():
        with _bar(what, n_total) as advance:
            yield advance
        return
    yield _plain(what, n_total)


@contextmanager
def _bar(what: str, n_total: int) -> Generator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=n_total)
        yield lambda n_done: progress.update(task, completed=n_done)


def _plain(what: str, n_total: int) -> Callable[[int], None]:
    next_s = time.monotonic() + PLAIN_INTERVAL_S

    def advance(n_done: int) -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            next_s += PLAIN_INTERVAL_S
            sys.stderr.write(f"{what}: {n_done} of {n_total}\n")

    return advance
