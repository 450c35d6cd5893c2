"""Writes fused results from Kafka into the index; a crash at any point neither loses nor doubles any.

Results are written in batches, each one transaction on disk, and only then committed to the broker. After a crash in
between they come again with the same ids.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from syncline.consumer import Received, ResultConsumer
from syncline.errors import ContractError
from syncline.index.rows import IndexEntry, make_entry
from syncline.index.store import Index
from syncline.wire.results import FusedResult

MAX_BATCH = 1_000
MAX_WAIT_S = 1.0
"""How long a batch waits for more results, and so the least age of what can be found."""
END_WAIT_S = 0.2
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Indexed:
    """Counts since the start.

    n_known: indexed before. n_without: without embedding or model. n_unusable: with an embedding without a direction.
    """

    n_new: int = 0
    n_known: int = 0
    n_without: int = 0
    n_unusable: int = 0

    @property
    def n_results(self) -> int:
        """The number of results read."""
        return self.n_new + self.n_known + self.n_without + self.n_unusable


async def index_results(
    results: ResultConsumer,
    index: Index,
    counts: Indexed,
    *,
    once: bool = False,
    on_progress: Callable[[Indexed], None] | None = None,
) -> None:
    """Index what an entered consumer reads, until it is closed; with `once`, until all present results are read.

    counts: updated with each written batch. Raises the errors of `receive_many` and `Index.add`.
    """
    while True:
        batch = await results.receive_many(MAX_BATCH, END_WAIT_S if once else MAX_WAIT_S)
        if batch:
            await asyncio.to_thread(write_batch, index, batch, counts)
            await results.commit()
            if on_progress is not None:
                on_progress(counts)
        elif results.closed:
            return
        if once and await results.at_end():
            await results.commit()  # repeats and unreadable records after the last batch
            return


def write_batch(index: Index, batch: Iterable[Received], counts: Indexed) -> None:
    """Write a batch's indexable results in one transaction, and count."""
    entries: list[IndexEntry] = []
    n_without = n_unusable = 0
    for received in batch:
        if not isinstance(received.result, FusedResult):
            continue
        try:
            entry = make_entry(received.result)
        except ContractError as error:
            n_unusable += 1
            log.warning("%s/%d/%d is not indexed: %s", *received[1:4], error)
            continue
        if entry is None:
            n_without += 1
        else:
            entries.append(entry)
    n_new = index.add(entries)
    counts.n_new += n_new
    counts.n_known += len(entries) - n_new
    counts.n_without += n_without
    counts.n_unusable += n_unusable


class IndexingReport:
    """Calls `say` with a line of counts, at most once every `interval_s`."""

    def __init__(self, say: Callable[[str], None], interval_s: float = 10.0) -> None:
        self._say, self._interval_s = say, interval_s
        self._next_s = time.monotonic() + interval_s

    def __call__(self, counts: Indexed) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + self._interval_s
            self._say(in_words(counts))


def in_words(counts: Indexed) -> str:
    """Return e.g. `372 results indexed, 3 without embedding`, leaving out zeros except the first."""
    parts = {
        "had been indexed before": counts.n_known,
        "without embedding": counts.n_without,
        "with an embedding that cannot be compared": counts.n_unusable,
    }
    return ", ".join([f"{counts.n_new} results indexed", *(f"{n} {what}" for what, n in parts.items() if n)])
