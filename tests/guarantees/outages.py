"""Topics that refuse what a worker sends, patched into its producer: for brokers that cannot be told to refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka.errors import NotEnoughReplicasAfterAppendError, NotEnoughReplicasError

from streams.kafka.producer import Producer
from tests.support.interferences import Outage, Switches


def refuse(outages: Sequence[Outage], switches: Switches) -> None:
    """Have every `Producer` of this process fail as these outages say."""
    if not outages:
        return
    send = Producer.send

    async def refusing_send(self: Producer, topic: str, partition: int, records: Sequence[Any]) -> int:
        outage = next((one for one in outages if topic.endswith(one.topic) and switches.is_on(one.switch)), None)
        if outage is not None and not outage.answer_lost:
            raise NotEnoughReplicasError
        n_sent = await send(self, topic, partition, records)
        if outage is not None:
            raise NotEnoughReplicasAfterAppendError
        return n_sent

    Producer.send = refusing_send
