"""Keeps tests that load a machine and judge times apart from all others: they would measure each other."""

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
    """Wait until no other process of this machine is in here or `beside` others; one that is killed leaves, too."""
    with _locked(lock, fcntl.LOCK_EX):
        yield


@contextmanager
def beside(lock: Path = LOCK) -> Iterator[None]:
    """Wait until no process is, or waits to be, `alone`; any number may be in here."""
    with _locked(lock, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(lock: Path, kind: int) -> Iterator[None]:
    with lock.open("a") as file:
        with lock.with_suffix(".gate").open("a") as gate:  # all queue here: who wants to be alone must not starve
            fcntl.flock(gate, fcntl.LOCK_EX)
            try:
                fcntl.flock(file, kind)
            finally:
                fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # closing would not do: forked children have the file open, too
