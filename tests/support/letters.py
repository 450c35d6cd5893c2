"""Dead letters for tests: made as a worker makes them, and written to their topic."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaProducer

from syncline.deadletter.filter import Letter
from syncline.wire.deadletters import decode_dead_letter, encode_dead_letter
from syncline.wire.events import build_headers
from syncline.wire.results import OutgoingRecord
from tests.support.contract import example_event


def dead_record(**changes: Any) -> OutgoingRecord:
    """The dead letter of a picture of stream `lobby`, as the record that a worker writes."""
    fields: dict[str, Any] = {
        "reason": "image_header", "detail": "image/jpeg: the header is cut short", "topic": "media.image",
        "partition": 0, "offset": 7, "key": b"lobby", "value": b"\xff\xd8\xffdata",
        "headers": build_headers(example_event()), "timestamp_ms": 1_772_366_400_300,
    }  # fmt: skip
    return encode_dead_letter(**(fields | changes))


def letter(place: tuple[int, int] = (0, 0), append_ms: int = 1_000, **changes: Any) -> Letter:
    """The same as it is read back from its own (partition, offset); `changes` are the original's."""
    record = dead_record(**changes)
    decoded = decode_dead_letter(record.key, record.value, record.headers)
    return Letter(*place, append_ms, decoded, len(record.value))


async def write_letters(brokers: str, prefix: str, *letters: tuple[int, OutgoingRecord]) -> None:
    """Write (partition, record) to `deadletter`, one after the other."""
    async with AIOKafkaProducer(bootstrap_servers=brokers, max_request_size=4_000_000) as producer:
        for partition, record in letters:
            await producer.send_and_wait(
                prefix + "deadletter", record.value, record.key, partition, headers=record.headers
            )
