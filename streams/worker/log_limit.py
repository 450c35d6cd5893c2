"""What is logged again and again is said once a minute: how often more, and where it differed, in one line afterwards.

A broker that restarts made each worker say 1,800 lines of the same few things: aiokafka, Faust and asyncio say what
failed at each of their attempts, five times a second and for each partition. Two records are alike if they have the
same logger, level and exception, and the same text but for the words that have digits in them (addresses, offsets,
partition numbers, names of tasks). The first is logged as it is, and of our own loggers, which say what is new and not
what is tried, the first of each text. What is like it in the minute after that is held back, then told in one line: how
many, and the different texts among them. That line begins the next minute.
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
"""So many kinds of records are remembered at once; of more, the ones that have been remembered longest are told."""
MAX_TEXTS, MAX_TEXT_CHARACTERS = 8, 300
"""So many different texts of one kind are told afterwards, and of each so much."""
OURS, MAX_OURS = frozenset({"streams", "syncline", "models", "processors"}), 20
"""So many different texts of one kind, such as one for each partition, are logged at once where the logger is ours."""

_WORD_WITH_DIGIT = re.compile(r"[\w.:/-]*\d[\w.:/-]*")


class Kind(NamedTuple):
    """What alike records have in common."""

    logger: str
    level: int
    text: str
    error: str = ""


def kind_of(record: logging.LogRecord) -> Kind:
    """The kind of a record. Below WARNING numbers count: what goes its usual way says what is new with them."""
    error = record.exc_info[1] if record.exc_info else None
    said = [record.getMessage(), f"{type(error).__qualname__}: {error}" if error is not None else ""]
    if record.levelno >= logging.WARNING:
        said = [_WORD_WITH_DIGIT.sub("#", text) for text in said]
    return Kind(record.name, record.levelno, *said)


class WithheldLines(NamedTuple):
    """So many of a kind in so many seconds, with the different texts among them, in the order in which they came."""

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
    """Says of each record whether it is to be logged, and what has been held back since. Pure: it is told the time.

    window_s: for so long the likes of a record are held back. max_kinds: so many kinds are remembered at once.
    """

    def __init__(self, window_s: float = WINDOW_S, max_kinds: int = MAX_KINDS) -> None:
        self._window_s, self._max_kinds = window_s, max_kinds
        self._windows: dict[Kind, _Window] = {}  # in the order in which they began

    def admits(self, kind: Kind, text: str, now_s: float, n_texts: int = 1) -> bool:
        """Whether to log it now; of a kind, `n_texts` different ones are. What is due by then is to be told before."""
        window = self._windows.setdefault(kind, _Window(now_s, []))
        if text not in window.shown and len(window.shown) < n_texts:
            window.shown.append(text)
            return True
        window.n += 1
        if text not in window.shown and len(window.texts) < MAX_TEXTS:
            window.texts[text] = None
        return False

    def due(self, now_s: float) -> list[WithheldLines]:
        """What is to be told by now: that line takes the place of the first, and the next window begins with it."""
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
        """All that is held back, at the end."""
        windows, self._windows = self._windows, {}
        return [window.tell(kind, now_s) for kind, window in windows.items() if window.n]


class LimitedStderr(logging.StreamHandler[TextIO]):
    """Logs to stderr what `RepeatLimit` admits, and tells what it held back, also when nothing is logged any more.

    Records below INFO are not limited: whoever asks for them wants all.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._limit = RepeatLimit()
        self._closed = threading.Event()
        threading.Thread(target=self._tell_in_time, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Log it, or hold it back."""
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
        """Tell what is still held back."""
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
