"""Progress: on a terminal a bar for each phase or piece of work, elsewhere lines now and then.

Phases run in several processes: each sends its progress and log lines through a queue, and one thread draws them.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import threading
import time
from multiprocessing.queues import Queue
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from models.training import parallel

log = logging.getLogger("models.training")


class Progress(msgspec.Struct, frozen=True):
    """How far a phase, or another piece of work, has come.

    Attributes:
        phase (str): its name.
        step (int): the number of steps taken.
        spent (float): the part of it that is done, 0 to 1.
        left_s (float): the estimated time left, in seconds.
        loss (float | None): of the last step, where it has one.
    """

    phase: str
    step: int
    spent: float
    left_s: float
    loss: float | None = None


class _Reporting:
    """The queue to which this process sends progress; None: nothing is drawn."""

    queue: Queue[Any] | None = None


class _Terminal(logging.Handler):
    """Lines for stderr: through the queue while bars are drawn, so that they do not break them."""

    def emit(self, record: logging.LogRecord) -> None:
        if _Reporting.queue is not None:
            _Reporting.queue.put(self.format(record))
        else:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()


def report_to(queue: Queue[Any] | None) -> None:
    """Send this process's progress and log lines to a queue; None: lines go to stderr, progress is dropped."""
    _Reporting.queue = queue


def report(progress: Progress) -> None:
    """Show progress, if bars are drawn."""
    if _Reporting.queue is not None:
        _Reporting.queue.put(progress)


def log_to(path: Path) -> None:
    """Log to stderr and append to a file, and to nothing else that was set before.

    Of several processes that train together only the first logs.
    """
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    log.setLevel(logging.INFO)
    log.propagate = False
    if not parallel.is_first():
        log.addHandler(logging.NullHandler())
        return
    for handler in (_Terminal(), logging.FileHandler(path, delay=True)):
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)


class Display:
    """Draws progress while it is entered, if stderr is a terminal or a rich `console` is given."""

    def __init__(self, console: Any = None) -> None:
        self._bars: Any = _bars(console) if parallel.is_first() else None
        self.queue: Queue[Any] | None = None
        self._tasks: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._draw, daemon=True)

    def __enter__(self) -> Display:
        if self._bars is not None:
            self.queue = multiprocessing.get_context("spawn").Queue()
            report_to(self.queue)
            self._bars.start()
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.queue is not None:
            report_to(None)
            self.queue.put(None)
            self._thread.join()
            self._bars.stop()

    def _draw(self) -> None:
        while self.queue is not None and (said := self.queue.get()) is not None:
            if isinstance(said, Progress):
                self._move(said)
            else:
                self._bars.console.print(said, markup=False, highlight=False, soft_wrap=True)

    def _move(self, said: Progress) -> None:
        if said.phase not in self._tasks:
            self._tasks[said.phase] = self._bars.add_task(said.phase, total=1.0, left="", step=0, loss="")
        left = f"{said.left_s / 60:.0f} min left" if said.left_s >= 90 else f"{said.left_s:.0f} s left"
        self._bars.update(
            self._tasks[said.phase], completed=said.spent, left=left if said.spent < 1 else "done", step=said.step,
            loss="" if said.loss is None else f"loss {said.loss:.3f}",
        )  # fmt: skip


def _bars(console: Any) -> Any:
    """The bars; None without a terminal or without rich."""
    if console is None and not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    except ImportError:
        return None
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("step {task.fields[step]}"),
        TextColumn("{task.fields[loss]}"), TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    return Progress(*columns, console=console or Console(stderr=True), transient=True)


EVERY_S = 10.0
"""How often a line says how far counted work is, where there are no bars."""


class CountedWork:
    """Counts the steps of one piece of work, and shows how far it is. Safe to call from several threads.

    Args:
        what (str): the work, in a few words.
        n_steps (int): how many steps it has.
    """

    def __init__(self, what: str, n_steps: int) -> None:
        self._what, self._n_steps, self._done = what, n_steps, 0
        self._started_s = self._said_s = time.monotonic()
        self._lock = Lock()

    def step(self) -> None:
        """Count a step."""
        with self._lock:
            self._done += 1
            now_s = time.monotonic()
            every_s = EVERY_S if _Reporting.queue is None else 0.2
            if self._done == self._n_steps or now_s - self._said_s >= every_s:
                self._said_s = now_s
                self._say(now_s - self._started_s)

    def _say(self, taken_s: float) -> None:
        left_s = taken_s / self._done * (self._n_steps - self._done)
        if _Reporting.queue is not None:
            report(Progress(self._what, self._done, self._done / self._n_steps, left_s))
            return
        sys.stderr.write(f"{self._what}: {self._done}/{self._n_steps}, {taken_s:.0f} s, {left_s:.0f} s left\n")
        sys.stderr.flush()
