"""streams/worker/shutdown.py: what is said of a group that could not be left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streams.worker.shutdown import LEAVE, Shutdown, ShutdownDeadline


@pytest.mark.parametrize(
    ("is_member", "n_assignments", "undone"),
    [(False, 1, []), (True, 1, [LEAVE]), (True, 0, []), (False, 0, [])],
    ids=["left", "not left", "was joining", "never joined"],
)
async def test_only_a_worker_that_was_let_in_has_a_group_to_leave(
    is_member: bool, n_assignments: int, undone: list[str]
) -> None:
    """One that is stopped while it joins has no name yet under which it could; nothing of its own is left undone."""

    async def at_once(*_: Any) -> bool:
        return True

    manager = SimpleNamespace(n_assignments=n_assignments, left=[], close=at_once, stop=lambda: None)
    batches = SimpleNamespace(is_member=is_member, commit_all=at_once)
    sources: Any = SimpleNamespace(manager=manager, broken=None, starting="")
    app: Any = SimpleNamespace(batches=batches, stop=at_once)
    ending = Shutdown(ShutdownDeadline(5.0), sources)
    ending.begins_to_work()
    await ending.stop_working(app, asyncio.create_task(asyncio.Event().wait()))
    assert ending.undone() == undone
