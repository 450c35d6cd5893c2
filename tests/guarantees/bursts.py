"""A few records more, so that whoever has just come has something to decide."""

from __future__ import annotations

from tests.guarantees.sends import Sender
from tests.guarantees.stage import Stage
from tests.guarantees.workload import Mix, workload

N_STREAMS, N_RECORDS, PER_S = 4, 60, 200
LIMIT_S = 20.0
_FIRST_SEED = 1_000_000
"""Above those of runs, whose streams have other names."""


async def burst(stage: Stage, number: int) -> None:
    """Send what this number gives, and wait for its outcomes; what has none after a while is the run's concern."""
    media = workload(_FIRST_SEED + number, N_RECORDS, stage.plan.n_partitions, N_STREAMS, Mix(too_large=0.0))
    sender = Sender(stage.broker.address, stage.prefix, media, PER_S)
    async with stage.brokers_are_mine:  # to begin, a client must find one
        await sender.run()
    stage.sender.log += sender.log
    sent = {(send.topic, send.partition, send.offset) for send in sender.log if send.outcome == "ok"}
    await stage.progress.until(lambda: sent <= stage.progress.outcomes.by_record.keys(), LIMIT_S)
