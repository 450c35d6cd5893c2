"""The smallest inputs of a corpus that together reach what all of them reach.

Counted are steps from line to line of our own code, and what libraries answer to it: the text of each exception that
passes through, without its numbers, because the way inside a library cannot be seen.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
MAX_TEXT = 80
_FOLDERS = tuple(str(ROOT / name) for name in ("processors", "streams", "syncline"))

_NUMBERS = re.compile(r"[0-9]+|0x[0-9a-f]+|b?'[^']*'")
Step = tuple[str, int, int | str]
"""File, line, and the line that came before or the exception that came through."""


def smallest(target: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """Those that reach something new, beginning with the smallest."""
    reached, kept = set[Step](), list[bytes]()
    for data in sorted(set(inputs), key=lambda one: (len(one), one)):
        steps = steps_of(target, data)
        if not steps <= reached:
            reached |= steps
            kept.append(data)
    return kept


def steps_of(target: Callable[[bytes], None], data: bytes) -> set[Step]:
    """The steps inside our own code that an input takes."""
    steps, before = set[Step](), dict[int, int]()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_FOLDERS):
            return None
        if event == "exception":
            said = _NUMBERS.sub("", f"{argument[0].__name__} {argument[1]}")
            steps.add((frame.f_code.co_filename, frame.f_lineno, said[:MAX_TEXT]))
        elif event in ("call", "line"):
            last = 0 if event == "call" else before.get(id(frame), 0)
            steps.add((frame.f_code.co_filename, frame.f_lineno, last))
            before[id(frame)] = frame.f_lineno
        return trace

    with _tracing(trace):
        target(data)
    return steps


@contextmanager
def _tracing(trace: Callable[[FrameType, str, Any], Any]) -> Generator[None]:
    """Without the garbage collector, which would close somebody else's generators meanwhile."""
    collects, old = gc.isenabled(), sys.gettrace()
    gc.disable()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(old)
        if collects:
            gc.enable()
