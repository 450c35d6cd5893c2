"""A producer of media that writes in transactions: committed, aborted, and open for longer than a set waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka.errors import KafkaError

from syncline.errors import AbortedError
from tests.guarantees.faults import Fault
from tests.guarantees.media import Media
from tests.guarantees.stage import Stage
from tests.guarantees.workload import Mix, workload
from tests.support.transactions import transactional

N_STREAMS, N_RECORDS = 4, 120
MIX = Mix(too_large=0.0)
"""What a broker does not take fails the whole transaction; that is `syncline.transactions`' own test."""


async def transactions(stage: Stage, fault: Fault) -> None:
    """Four of them, over all partitions; those that stay open hold up what all others write meanwhile."""
    records = workload(fault.victim, N_RECORDS, stage.plan.n_partitions, N_STREAMS, MIX)
    size = N_RECORDS // 4
    parts = [records[start : start + size] for start in range(0, N_RECORDS, size)]
    async with AsyncExitStack() as at_the_end:
        async with stage.brokers_are_mine:  # to begin, a client must find one
            producer = await at_the_end.enter_async_context(transactional(stage.broker, f"{stage.prefix}{fault.at}"))
        await _one(stage, producer, parts[0], open_s=0.0, commit=True)
        await _one(stage, producer, parts[1], open_s=0.0, commit=False)
        await _one(stage, producer, parts[2], open_s=fault.lasts_s, commit=False)
        await _one(stage, producer, parts[3], open_s=fault.lasts_s / 2, commit=True)


async def _one(stage: Stage, producer: Any, records: Sequence[Media], *, open_s: float, commit: bool) -> None:
    await producer.begin_transaction()
    answers = [
        await producer.send(stage.prefix + one.topic, one.value, one.key, one.partition, headers=one.headers)
        for one in records
    ]
    places = await asyncio.gather(*answers)
    await asyncio.sleep(open_s)
    error: Exception | None = None
    try:
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    except KafkaError as raised:
        error = raised
    error = error if commit else AbortedError("its transaction was aborted")
    for media, place in zip(records, places, strict=True):
        stage.sender.note(media, None if error is not None else place, error)
