"""streams/payload.py: what a record costs in memory is counted, whatever it brings."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import ConsumerRecord

from models.interface import Prepared
from streams.join.settings import JoinSettings
from streams.partition.decode import Decoder
from syncline.wire.contract import MAX_ID, MAX_SOURCE
from syncline.wire.events import build_headers
from tests.support.batches import Row, batch_of
from tests.support.raw import event

N_RECORDS = 200
TOPIC = "media.text"
Headers = Sequence[tuple[str, bytes | None]]


def row(number: int, value: bytes, headers: Headers, name: str) -> Row:
    """A text as it stands in a batch."""
    one = event("text", id=f"{number}{name * (MAX_ID - 3)}", source=name * MAX_SOURCE)
    return one.time_ms, one.stream.encode(), value, [*build_headers(one), *headers]


def prepare(modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
    """Pixels of a large value, words of a text with blanks."""
    pixels = np.zeros(10 * len(data), np.uint8)
    words = tuple((word, "NN") for word in data.decode().split(" "))
    return Prepared(pixels, n_bytes=pixels.nbytes, words=words)


@pytest.mark.parametrize(
    ("value", "headers", "name"),
    [
        (b"x", [], "a"),
        (b"x" * 50_000, [], "a"),
        (b"a b " * 2_000, [], "a"),
        ("语 " .encode() * 2_000, [], "a"),
        (b"x", [], "\N{GRINNING FACE}"),
        (b"x", [("x-note", b"h" * 60_000)], "a"),
        (b"x", [("x" * 60_000, None)], "a"),
        (b"x", [("x", b"1")] * 240, "a"),
        (b"x", [("语", b"1")] * 240, "a"),
        (b"x", [("x", b"1")] * 20_000, "a"),
        (b"", [("x-note", b"h" * 900_000)], "a"),
    ],
    ids=["plain", "value", "words", "wide words", "wide names", "value of a header", "name of a header", "many headers",
         "wide headers", "too many headers", "nothing but a header"],
)  # fmt: skip
def test_all_that_a_record_brings_is_counted(value: bytes, headers: Headers, name: str) -> None:
    """What is held beyond what is counted is at most a tenth, by Python's own account, of good records and bad ones."""
    n_records = N_RECORDS if len(headers) < 1_000 and len(value) < 10_000 else 20
    batch = batch_of([row(number, value, headers, name) for number in range(n_records)])
    decoder = Decoder(JoinSettings(), 1, prepare, 100_000)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        raws = [
            ConsumerRecord(
                TOPIC, 0, r.offset, r.timestamp, r.timestamp_type, r.key, r.value, None, 1, 1, tuple(r.headers)
            )
            for r in DefaultRecordBatch(batch)
        ]
        records = decoder.decode(TOPIC, 0, raws)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held <= 1.1 * sum(record.n_bytes for record in records)
