"""Decodes Kafka records for a partition's owner: headers, placement, clock, value, media, in that order.

Runs on the decode threads, on a chunk of consecutive records of one topic partition at a time.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence, Set
from threading import Lock, get_ident
from typing import Any

from models.interface import Prepared
from streams.decisions.entries import FormerPlacement
from streams.decisions.former_counts import other_counts
from streams.decisions.records import Record, Rejected
from streams.histogram import Histogram
from streams.join.items import Item
from streams.join.settings import JoinSettings
from streams.payload import HELD_BYTES, Payload, event_bytes, prepared_bytes, raw_bytes
from syncline.errors import ContractError, MediaError
from syncline.wire.contract import MEDIA_TOPICS
from syncline.wire.events import MediaEvent, check_value, parse_headers
from syncline.wire.ids import id_hash
from syncline.wire.placement import check_placement

MAX_LANES = 100_000
"""Limit of remembered lanes; beyond it the oldest is forgotten, and a second source on it goes unnoticed."""


class SourceTracker:
    """Remembers each lane's last source (`ce_source`). Thread-safe."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], str] = {}
        self._lock = Lock()
        self.n_changes = 0
        """How often a lane's source has changed."""

    def changed(self, stream: str, lane: str, source: str) -> str | None:
        """Return the lane's former source if `source` is another one, else None."""
        key = (stream, lane)
        if self._last.get(key) == source:
            return None
        with self._lock:
            before = self._last.get(key)
            self._last[key] = source
            if len(self._last) > MAX_LANES:
                del self._last[next(iter(self._last))]
            if before is not None:
                self.n_changes += 1
        return before


log = logging.getLogger(__name__)

Prepare = Callable[[str, bytes, str, str | None], Prepared]
"""`Model.prepare`: (modality, data, content type, language) -> the model's input. Raises `MediaError`."""

DECODE_BOUNDS_MS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)
_WORTH_A_LINE = frozenset({"misrouted", "no_key", "key_mismatch"})
"""Reasons caused by a wrongly configured producer: log the first record with the fix."""


class Decoder:
    """Decodes records of any media topic partition. Thread-safe."""

    def __init__(self, settings: JoinSettings, n_partitions: int, prepare: Prepare, max_event_bytes: int) -> None:
        self._offset_ms, self._max_ahead_ms = settings.offset_ms, settings.max_ahead_ms
        self._n_partitions, self._prepare, self._max_event_bytes = n_partitions, prepare, max_event_bytes
        self._logged: set[str] = set()
        self.took_ms = {topic: Histogram(DECODE_BOUNDS_MS) for topic in MEDIA_TOPICS}
        """How long decoding a record took, by topic."""
        self._counting = Lock()
        self._started_s: dict[int, float] = {}
        self.sources = SourceTracker()

    def decode(
        self,
        topic: str,
        partition: int,
        raws: Sequence[Any],
        accepted: Set[int] = frozenset(),
        placed: Sequence[FormerPlacement] = (),
    ) -> list[Record]:
        """Decode aiokafka's records of one topic (named without prefix) and partition, in order.

        accepted: offsets of records that a decision in the log has accepted; no setting rejects them now, since they
        may have been decided under other settings. placed: former numbers of partitions, from before the topics grew.
        """
        records: list[Record] = []
        took_ms: list[float] = []
        try:
            for raw in raws:
                self._started_s[get_ident()] = started_s = time.perf_counter()
                others = other_counts(placed, topic, raw.offset) if placed else ()
                is_accepted = raw.offset in accepted
                records.append(self._decode_one(topic, partition, raw, others, is_accepted=is_accepted))
                took_ms.append((time.perf_counter() - started_s) * 1_000)
        finally:
            self._started_s.pop(get_ident(), None)
        with self._counting:
            for ms in took_ms:
                self.took_ms[topic].add(ms)
        return records

    @property
    def oldest_start_s(self) -> float | None:
        """Return when the longest running decode began; None if no thread is busy."""
        return min(list(self._started_s.values()), default=None)  # a copy: threads come and go meanwhile

    @property
    def n_decoded(self) -> int:
        """The number of decoded records, good and bad."""
        return sum(histogram.n for histogram in self.took_ms.values())

    def _decode_one(self, topic: str, partition: int, raw: Any, others: Sequence[int], *, is_accepted: bool) -> Record:
        payload = Payload(raw)
        item, rejected = None, None
        n_bytes = HELD_BYTES + raw_bytes(raw)
        try:
            event = parse_headers(topic, raw.key, raw.headers, raw.timestamp, any_size=is_accepted)
            payload.event = event
            n_bytes += event_bytes(event)
            found = self._item(event, topic, raw)
            if not is_accepted:
                check_placement(raw.key, partition, self._n_partitions, others)
                self._check_clock(found)
            item = found
            self._watch_source(event)
            value = check_value(event, raw.value, sys.maxsize if is_accepted else self._max_event_bytes)
            payload.prepared = self._prepare_or_reject(event, value)
            n_bytes += prepared_bytes(payload.prepared)
        except (ContractError, MediaError) as error:
            rejected = Rejected(error.reason, error.detail)
            self._log_first(rejected, topic, partition, raw.offset)
        return Record(raw.offset, item, rejected, n_bytes, payload)

    def _prepare_or_reject(self, event: MediaEvent, value: bytes) -> Prepared:
        try:
            return self._prepare(event.modality, value, event.content_type, event.language or None)
        except (MediaError, MemoryError):
            raise
        except Exception as error:
            # The model's fault. Do not end: the next worker would fail on the same bytes.
            log.exception("the model cannot prepare %s of stream %s", event.content_type, event.stream)
            raise MediaError("model_failed", f"the model raised {error!r}") from error

    def _item(self, event: MediaEvent, topic: str, raw: Any) -> Item:
        time_ms = event.time_ms + self._offset_ms.get(event.lane, 0)
        return Item(
            event.stream,
            event.lane,
            topic,
            raw.offset,
            time_ms,
            time_ms + event.duration_ms,
            id_hash(event.source, event.id, event.retries),
            raw.timestamp,
        )

    def _check_clock(self, item: Item) -> None:
        ahead_ms = item.time_ms - item.append_ms
        if ahead_ms > self._max_ahead_ms:
            raise ContractError(
                "clock", f"event time is {ahead_ms} ms ahead of the broker's, at most {self._max_ahead_ms} are taken"
            )

    def _watch_source(self, event: MediaEvent) -> None:
        before = self.sources.changed(event.stream, event.lane, event.source)
        if before is not None and "source" not in self._logged:
            self._logged.add("source")
            log.warning(
                "stream %s, lane %s: a record of %s came after one of %s; sources have their own clocks: "
                "give each a lane, ce_lane (said once, all such are counted)",
                event.stream, event.lane, event.source, before,
            )  # fmt: skip

    def _log_first(self, rejected: Rejected, topic: str, partition: int, offset: int) -> None:
        if rejected.reason in _WORTH_A_LINE and rejected.reason not in self._logged:
            self._logged.add(rejected.reason)
            log.warning(
                "%s: partition %d, offset %d rejected: %s (%s; said once, all such go to the dead letters)",
                topic, partition, offset, rejected.detail, rejected.reason,
            )  # fmt: skip
