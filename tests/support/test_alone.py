"""Tests that load a machine run one after the other."""

from __future__ import annotations

import fcntl
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.support.alone import LOCK, alone


def _enter(lock: Path, said: Connection) -> None:
    said.send("asks")
    with alone(lock):
        said.send("in")


def test_a_second_process_waits_until_the_first_has_left(tmp_path: Path) -> None:
    """A slow machine may hide that it does not wait; it cannot make the test fail."""
    lock = tmp_path / "lock"
    mine, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=_enter, args=(lock, theirs))
    with alone(lock):
        other.start()
        assert mine.recv() == "asks"
        assert not mine.poll(0.5)
    assert mine.recv() == "in"
    other.join(30)
    assert other.exitcode == 0


@pytest.mark.alone
@pytest.mark.timeout(60)
def test_a_test_marked_alone_holds_the_lock_and_its_time_begins_then(request: pytest.FixtureRequest) -> None:
    """Waiting for others is no part of its limit."""
    with LOCK.open("a") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    limit = request.node.get_closest_marker("timeout")
    assert (limit.args, limit.kwargs) == ((60,), {"func_only": True})
