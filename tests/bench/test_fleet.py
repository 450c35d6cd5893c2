"""bench/fleet.py: what is known of a process once it has ended."""

from __future__ import annotations

import asyncio
import sys

from bench.fleet import Fleet, FleetMember

CHATTER = "import time; print('one'); print('two', flush=True); time.sleep(600)"


async def until_it_said(member: FleetMember, what: str) -> None:
    """Wait for its output."""
    async with asyncio.timeout(300):
        while what not in member.output():  # noqa: ASYNC110  a process sets no event
            await asyncio.sleep(0.05)


async def test_the_lines_of_a_life_are_counted_at_its_end() -> None:
    """Of one that is killed, and of one that is told to stop."""
    member = FleetMember("first", [sys.executable, "-c", CHATTER])
    for end in (member.kill, member.stop):
        member.start()
        await until_it_said(member, "two")
        await asyncio.to_thread(end)
    assert [life.n_lines for life in member.lives] == [2, 2]
    assert all(life.seconds > 0 for life in member.lives)


async def test_those_that_are_spared_live_on() -> None:
    """Only the others are killed, and started again."""
    members = [FleetMember(name, [sys.executable, "-c", CHATTER]) for name in ("first", "second")]
    async with Fleet(members) as fleet:
        killing = asyncio.create_task(fleet.kill_in_turn(0.01, n_spared=1))
        async with asyncio.timeout(300):
            while fleet.n_kills < 3:  # noqa: ASYNC110  a process sets no event
                await asyncio.sleep(0.01)
        killing.cancel()
    assert [len(member.lives) for member in members] == [1, 1 + fleet.n_kills]
