"""Keeps tests that load a machine apart: two of them at a time would measure each other."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / f"syncline-tests-{os.getuid()}.lock"


@contextmanager
def alone(lock: Path = LOCK) -> Iterator[None]:
    """Wait until no other process of this machine is in here; one that is killed leaves, too."""
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
