"""Limits repeated log lines: the first is logged, those of the next minute are summed up in one line.

When a broker restarts, aiokafka, Faust and asyncio log each failed attempt, five times a second and for each partition:
1,800 lines a worker. Two records are alike if they have the same logger, level and exception, and the same text except
for words with digits (addresses, offsets, partition numbers, task names). The first is logged as it is; of our own
loggers, which report news and not attempts, the first of each text. Similar ones in the next minute are held back, then
summed up in one line: how many, and their different texts. That line begins the next minute.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TextIO

WINDOW_S, LOOK_S = 60.0, 1.0
MAX_KINDS = 500
"""Limit of remembered kinds of records; beyond it the oldest ones are summed up."""
MAX_TEXTS, MAX_TEXT_CHARACTERS = 8, 300
"""Limits of the different texts in a summary, and of each text's length."""
OURS, MAX_OURS = frozenset({"streams", "syncline", "models", "processors"}), 20
"""Our own loggers, and how many different texts of one kind (e.g. one a partition) they log at once."""

_WORD_WITH_DIGIT = re.compile(r"[\w.:/-]*\d[\w.:/-]*")


class Kind(NamedTuple):
    """What alike records have in common."""

    logger: str
    level: int
    text: str
    error: str = ""


def kind_of(record: logging.LogRecord) -> Kind:
    """Return a record's kind. Below WARNING, numbers make a difference: they are the news of routine lines."""
    error = record.exc_info[1] if record.exc_info else None
    said = [record.getMessage(), f"{type(error).__qualname__}: {error}" if error is not None else ""]
    if record.levelno >= logging.WARNING:
        said = [_WORD_WITH_DIGIT.sub("#", text) for text in said]
    return Kind(record.name, record.levelno, *said)


class WithheldLines(NamedTuple):
    """A summary: how many records of a kind in how many seconds, with their different texts in order."""

    kind: Kind
    n: int
    seconds: float
    texts: tuple[str, ...]

    def __str__(self) -> str:
        more = "; …" if len(self.texts) == MAX_TEXTS else ""
        return f"{self.n} more like this in {self.seconds:.0f} s: {'; '.join(self.texts)}{more}"


@dataclass(slots=True)
class _Window:
    began_s: float
    shown: list[str]
    n: int = 0
    texts: dict[str, None] = field(default_factory=dict[str, None])

    def tell(self, kind: Kind, now_s: float) -> WithheldLines:
        return WithheldLines(kind, self.n, now_s - self.began_s, tuple(self.texts or self.shown[:MAX_TEXTS]))


class RepeatLimit:
    """Decides which records to log, and sums up the others. Pure: the caller gives the time.

    window_s: how long similar records are held back, s. max_kinds: limit of remembered kinds.
    """

    def __init__(self, window_s: float = WINDOW_S, max_kinds: int = MAX_KINDS) -> None:
        self._window_s, self._max_kinds = window_s, max_kinds
        self._windows: dict[Kind, _Window] = {}  # oldest first

    def admits(self, kind: Kind, text: str, now_s: float, n_texts: int = 1) -> bool:
        """Tell whether to log a record now, with up to `n_texts` texts of a kind. Log what is `due` before."""
        window = self._windows.setdefault(kind, _Window(now_s, []))
        if text not in window.shown and len(window.shown) < n_texts:
            window.shown.append(text)
            return True
        window.n += 1
        if text not in window.shown and len(window.texts) < MAX_TEXTS:
            window.texts[text] = None
        return False

    def due(self, now_s: float) -> list[WithheldLines]:
        """Return the summaries to log by now; each begins the next window."""
        told: list[WithheldLines] = []
        for kind, window in list(self._windows.items()):
            is_over = now_s - window.began_s >= self._window_s
            if not is_over and len(self._windows) <= self._max_kinds:
                break
            del self._windows[kind]
            if window.n:
                told.append(window.tell(kind, now_s))
            if window.n and is_over:
                self._windows[kind] = _Window(now_s, window.shown)
        return told

    def rest(self, now_s: float) -> list[WithheldLines]:
        """Return summaries of all that is held back, at the end."""
        windows, self._windows = self._windows, {}
        return [window.tell(kind, now_s) for kind, window in windows.items() if window.n]


class LimitedStderr(logging.StreamHandler[TextIO]):
    """Logs to stderr what `RepeatLimit` admits, and its summaries, even if nothing else is logged any more.

    Records below INFO are not limited: who asks for them wants all.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._limit = RepeatLimit()
        self._closed = threading.Event()
        threading.Thread(target=self._tell_in_time, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record or hold it back."""
        try:
            admitted = record.levelno < logging.INFO or self._admits(record)
        except Exception:  # as of `format` in every handler: such as a template with too few arguments
            self.handleError(record)
            return
        if admitted:
            super().emit(record)

    def _admits(self, record: logging.LogRecord) -> bool:
        now_s = time.monotonic()
        self._tell(self._limit.due(now_s))
        text = record.getMessage()[:MAX_TEXT_CHARACTERS]
        n_texts = MAX_OURS if record.name.partition(".")[0] in OURS else 1
        return self._limit.admits(kind_of(record), text, now_s, n_texts)

    def _tell(self, held_back: Iterable[WithheldLines]) -> None:
        for held in held_back:
            super().emit(logging.LogRecord(held.kind.logger, held.kind.level, __file__, 0, str(held), None, None))

    def _tell_in_time(self) -> None:
        while not self._closed.wait(LOOK_S):
            with self._locked():
                self._tell(self._limit.due(time.monotonic()))

    def close(self) -> None:
        """Log the summaries of what is held back."""
        self._closed.set()
        with self._locked():
            self._tell(self._limit.rest(time.monotonic()))
        super().close()

    @contextmanager
    def _locked(self) -> Generator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()
