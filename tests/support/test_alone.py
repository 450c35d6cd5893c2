"""Tests that load a machine run while no other test does."""

from __future__ import annotations

import fcntl
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.support.alone import LOCK, alone, beside


def _enter(way: Callable[[Path], AbstractContextManager[None]], lock: Path, said: Connection) -> None:
    said.send("asks")
    with way(lock):
        said.send("in")


@contextmanager
def _other(way: Callable[[Path], AbstractContextManager[None]], lock: Path) -> Iterator[Connection]:
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_enter, args=(way, lock, theirs))
    process.start()
    assert mine.recv() == "asks"
    yield mine
    process.join(30)
    assert process.exitcode == 0


@pytest.mark.parametrize(("first", "second"), [(alone, alone), (alone, beside), (beside, alone)])
def test_a_second_process_waits_until_the_first_has_left(
    tmp_path: Path,
    first: Callable[[Path], AbstractContextManager[None]],
    second: Callable[[Path], AbstractContextManager[None]],
) -> None:
    """A slow machine may hide that it does not wait; it cannot make the test fail."""
    lock = tmp_path / "lock"
    held = first(lock)
    held.__enter__()
    with _other(second, lock) as other:
        assert not other.poll(0.5)
        held.__exit__(None, None, None)
        assert other.recv() == "in"


def test_those_beside_others_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Only who is alone keeps others out."""
    with beside(tmp_path / "lock"), _other(beside, tmp_path / "lock") as other:
        assert other.recv() == "in"


def test_who_wants_to_be_alone_does_not_wait_for_those_who_come_later(tmp_path: Path) -> None:
    """The third, though it could go in beside the first, lets the second pass."""
    lock = tmp_path / "lock"
    held = beside(lock)
    held.__enter__()
    with _other(alone, lock) as second:
        assert not second.poll(0.5)
        with _other(beside, lock) as third:
            assert not third.poll(0.5)
            held.__exit__(None, None, None)
            assert (second.recv(), third.recv()) == ("in", "in")


@pytest.mark.timing
def test_a_test_marked_timing_holds_the_lock() -> None:
    """Not even one that goes in beside others comes in."""
    with LOCK.open("a") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_waiting_is_no_part_of_a_tests_timeout(request: pytest.FixtureRequest) -> None:
    """Pluggy calls the last implementation first: it is ours, and what pytest-timeout starts lies within."""
    first = request.config.hook.pytest_runtest_protocol.get_hookimpls()[-1]
    assert Path(first.function.__code__.co_filename).parts[-2:] == ("tests", "conftest.py")
