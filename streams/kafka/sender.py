"""What aiokafka's producer lacks: it can be ended whatever its broker does, and goes on after a batch that was refused.

All that is relied on of its private parts is here, pinned by tests/streams/kafka/test_sender.py.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# ruff: noqa: SLF001 - private parts are aiokafka's

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError

log = logging.getLogger(__name__)

REFUSED = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)
"""Answers of a broker that has looked at a batch and wrote nothing of it."""
LOOK_S = 0.05
END_LIMIT_S = 2.0
"""For requests under way to notice that their connections are closed; then they are cancelled."""
_N_SEQUENCES = 2**32


async def queue_batch(producer: Any, builder: Any, topic: str, partition: int) -> tuple[Any, asyncio.Future[Any]]:
    """Queue what a builder holds: the batch, and its delivery. Raises `KafkaError`."""
    delivery = await producer.send_batch(builder, topic, partition=partition)
    # At once: in the next round of the loop the sender takes it away.
    queued = producer._message_accumulator._batches.get(TopicPartition(topic, partition))
    return queued[-1] if queued else None, delivery


def take_back(producer: Any, batch: Any) -> bool:
    """Go on after a batch that was refused: its sequence numbers are free again. False where they may be in use.

    An idempotent producer has counted the batch's records, so the broker would take the next one for out of order. Not
    where the batch was sent more than once (an earlier copy may have been written), nor where others follow already.
    """
    numbers = producer._txn_manager
    if numbers is None:
        return True  # not idempotent: nothing is counted
    if batch is None or batch.retry_count != 1:
        return False
    accumulator, tp = producer._message_accumulator, batch.tp
    if accumulator._batches.get(tp) or any(other.tp == tp for other in accumulator._pending_batches - {batch}):
        return False
    first = numbers._sequence_numbers[tp] - batch.record_count
    numbers._sequence_numbers[tp] = first if first >= -_N_SEQUENCES // 2 else first + _N_SEQUENCES
    return True


async def end_producer(producer: Any, limit_s: float) -> bool:
    """End a producer, all the way; False where what it had queued did not arrive within `limit_s`.

    Its own `stop` waits for the broker first: cancelled meanwhile, it leaves sender, metadata and connections alive,
    and a second one does nothing.
    """
    producer._closed = True  # else it warns of itself when it is collected
    sender = producer._sender.sender_task
    arrived = await _flush(producer, sender, limit_s)
    if sender is not None:
        sender.cancel()
    await _close(producer.client)
    if sender is not None:
        await _until_ended(producer.client, sender)
        await _close(producer.client)  # a connection may have been made meanwhile
    return arrived


async def _flush(producer: Any, sender: asyncio.Task[None] | None, limit_s: float) -> bool:
    if sender is None:
        return True  # it has not begun
    flushing = asyncio.ensure_future(producer._message_accumulator.close())
    await asyncio.wait([flushing, sender], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    arrived = flushing.done()
    flushing.cancel()
    await asyncio.wait([flushing])
    return arrived


async def _close(client: Any) -> None:
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait([closing], timeout=END_LIMIT_S)
    closing.cancel()
    await asyncio.wait([closing])
    if not closing.cancelled() and closing.exception() is not None:
        # A connection that is just being made cannot be closed (aiokafka 0.14).
        log.info("a producer's connections did not end cleanly: %r", closing.exception())


async def _until_ended(client: Any, sender: asyncio.Task[None]) -> None:
    """A sender that is cancelled waits for its requests, and these for metadata that nobody asks for any more."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + END_LIMIT_S
    while not sender.done():
        asking = client._md_update_fut
        if asking is not None and not asking.done():
            asking.set_result(False)
        if loop.time() > until_s:
            sender.cancel()  # reaches the request that it waits for
        await asyncio.wait([sender], timeout=LOOK_S)
