"""streams/observe/descriptors.py: what is needed when no file descriptor is left is kept, and that moment is told."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.observe.descriptors import N_FOR_ANSWERING, N_FOR_READING, Descriptors, ReadingTurns, Spare


@pytest.fixture
def descriptors() -> Iterator[Descriptors]:
    descriptors = Descriptors()
    descriptors.look()
    yield descriptors
    descriptors.close()


@contextmanager
def none_left() -> Iterator[None]:
    """Nothing can be opened in this process any more, but for what is kept."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/dev/fd"))) + 1, hard))
    taken: list[int] = []
    try:
        while True:
            taken.append(os.dup(2))
    except OSError:
        pass
    try:
        yield
    finally:
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def n_openable() -> int:
    """How many files can be opened now."""
    found: list[int] = []
    try:
        while len(found) < 100:
            found.append(os.dup(2))
    except OSError:
        pass
    for one in found:
        os.close(one)
    return len(found)


async def test_a_reader_of_the_log_needs_none_that_is_free_by_chance(descriptors: Descriptors) -> None:
    """Whoever takes a partition over has what is kept for it, and others have nothing; it is kept again at its end."""
    turns = ReadingTurns(2, descriptors)
    with none_left():
        before = n_openable()
        async with turns:
            one = n_openable()
            async with turns:
                two = n_openable()
        after = n_openable()
    assert (before, one, two, after) == (0, N_FOR_READING, N_FOR_READING, 0)


async def test_more_readers_than_turns_wait(descriptors: Descriptors) -> None:
    """What is kept suffices for so many at once."""
    turns = ReadingTurns(1, descriptors)
    async with turns:
        second = asyncio.create_task(turns.__aenter__())
        await asyncio.sleep(0)
        assert not second.done()
    await second
    await turns.__aexit__(None, None, None)


def test_that_none_is_left_is_told_once_a_minute(descriptors: Descriptors, caplog: pytest.LogCaptureFixture) -> None:
    """By its reason all the time, and by one line of the log."""
    with caplog.at_level(logging.ERROR), none_left():
        for _ in range(3):
            descriptors.look()
            assert "file descriptors" in descriptors.reason
    assert len(caplog.records) == 1


def test_where_one_is_left_nothing_is_told(descriptors: Descriptors) -> None:
    """And what was given away is kept again."""
    assert descriptors.reason == ""
    before = len(os.listdir("/dev/fd"))
    descriptors.for_answering.give(N_FOR_ANSWERING)
    descriptors.look()
    assert len(os.listdir("/dev/fd")) == before
    assert descriptors.reason == ""


def test_nothing_is_kept_before_it_is_asked_for() -> None:
    """A worker that never started leaves nothing open."""
    before = len(os.listdir("/dev/fd"))
    Spare(5).give(5)
    Descriptors().close()
    assert len(os.listdir("/dev/fd")) == before
