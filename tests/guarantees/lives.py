"""Workers that are ended one by one and started as others: with other settings, or with the log's former form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import msgspec

from streams.decisions.entries import THIS_VERSION, WRITABLE_VERSIONS
from streams.join.settings import JoinSettings
from syncline.wire.contract import MODALITIES
from tests.guarantees.bursts import burst
from tests.guarantees.faults import Fault
from tests.guarantees.pool import flags_of
from tests.guarantees.stage import Stage

FORMER_VERSION = WRITABLE_VERSIONS[0]
SMALL_EVENT_BYTES = 12
"""Most records of the workload are smaller, some are not."""
N_WORKERS = 2
"""As many have other lives: all that most runs have, and a run with more must come to its end."""
N_STEPS = 100
"""More bursts than one fault has: their numbers are the fault's own."""


async def settings(stage: Stage, fault: Fault) -> None:
    """One worker after the other gets settings that decide otherwise, and later its own again."""
    random_ = Random(fault.victim)
    async with stage.lives_are_mine:
        lives = _Lives(stage, fault, random_)
        numbers = list(stage.pool.workers)[:N_WORKERS]
        for number in numbers:
            await lives.begin(number, other_settings(stage.plan.join, random_))
        for number in numbers:
            await lives.begin(number, {})


async def versions(stage: Stage, fault: Fault) -> None:
    """The former form beside today's, alone, beside today's again; a step back; then today's alone."""
    async with stage.lives_are_mine:
        lives = _Lives(stage, fault, Random(fault.victim))
        first, *others = list(stage.pool.workers)[:N_WORKERS]
        steps = [(n, FORMER_VERSION) for n in (first, *others)]
        steps += [(first, THIS_VERSION), (first, FORMER_VERSION)]
        for number, version in steps:
            await lives.begin(number, {"decision_log_version": version})
        for number in (*others, first):
            await lives.begin(number, {})


class _Lives:
    def __init__(self, stage: Stage, fault: Fault, random_: Random) -> None:
        self._stage, self._random = stage, random_
        self._n_bursts = fault.victim * N_STEPS

    async def begin(self, number: int, changed: Mapping[str, object]) -> None:
        """End a worker, killed or told to, start it as the pool's with this changed, and give it something to do."""
        async with self._stage.pool.borrow_number(number) as worker:
            if worker is None:
                return
            if self._random.random() < 0.5:
                worker.kill()
            else:
                await self._stage.pool.terminate(worker)
            worker.settings = self._stage.pool.settings_of(worker, changed)
            worker.start()
            await self._stage.pool.until_ready(worker)
        self._n_bursts += 1
        await burst(self._stage, self._n_bursts)


def other_settings(join: JoinSettings, random_: Random) -> dict[str, object]:
    """Flags of a worker that decides otherwise than one with these settings."""
    return random_.choice((_strategy, _lanes, _tolerance, _share, _event_bytes))(join, random_)


def _strategy(join: JoinSettings, random_: Random) -> dict[str, object]:
    others = [name for name in ("earliest", "nearest", "tumbling") if name != join.strategy]
    return _flags(join, strategy=random_.choice(others))


def _lanes(join: JoinSettings, random_: Random) -> dict[str, object]:
    left: Sequence[str] = random_.sample(MODALITIES, 2)
    out_of_order_ms = {lane: ms for lane, ms in join.out_of_order_ms.items() if lane in left}
    return _flags(join, lanes=tuple(left), pivot=left[0], require=(), out_of_order_ms=out_of_order_ms)


def _tolerance(join: JoinSettings, random_: Random) -> dict[str, object]:
    others = {"tolerance_ms": random_.choice((10, 90)), "size_ms": random_.choice((200, 800))}
    return _flags(join, **others)


def _share(join: JoinSettings, random_: Random) -> dict[str, object]:
    return _flags(join, strategy="nearest", share=True)


def _event_bytes(join: JoinSettings, random_: Random) -> dict[str, object]:
    return {"max_event_bytes": SMALL_EVENT_BYTES}


def _flags(join: JoinSettings, **changes: object) -> dict[str, object]:
    """What differs, as flags; also where it is back at its default."""
    other = msgspec.structs.replace(join, **changes)
    return {**dict.fromkeys(flags_of(join)), **flags_of(other)}
