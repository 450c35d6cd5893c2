"""What a record's headers, place, clock and size say of it, without its payload."""

from __future__ import annotations

from collections.abc import Sequence

from streams.join.fingerprint import fingerprint
from streams.join.model import Item
from streams.join.settings import JoinSettings
from streams.verify.history import MediaRecord
from syncline.errors import ContractError
from syncline.events import parse_headers
from syncline.ids import id_hash
from syncline.placement import check_placement


class RecordJudge:
    """Judges a record by its headers, place, clock and size, as a worker does before it looks at the payload."""

    def __init__(self, settings: JoinSettings, n_partitions: int, max_event_bytes: int) -> None:
        self.settings, self.n_partitions, self._max_event_bytes = settings, n_partitions, max_event_bytes
        self.fingerprint = fingerprint(settings, max_event_bytes)
        """What the claims of workers with these settings say."""

    def judge(
        self, topic: str, partition: int, record: MediaRecord, counts: Sequence[int], *, is_misrouted: bool = False
    ) -> tuple[Item | None, str]:
        """Its item where the headers are valid, and its dead-letter reason, "" where none of this is wrong.

        counts: the numbers of partitions by which it may have been placed. is_misrouted: a decision says that it is,
        which is right where it is by one of them: a worker that had not seen yet that the topics grew says so.
        """
        try:
            event = parse_headers(topic, record.key, record.headers, record.append_ms)
            if is_misrouted:
                for count in counts:
                    check_placement(record.key or b"", partition, count)
            check_placement(record.key or b"", partition, counts[0], counts[1:])
        except ContractError as error:
            return None, error.reason
        time_ms = event.time_ms + self.settings.offset_ms.get(event.lane, 0)
        if time_ms - record.append_ms > self.settings.max_ahead_ms:
            return None, "clock"
        item = Item(
            event.stream, event.lane, topic, record.offset, time_ms, time_ms + event.duration_ms,
            id_hash(event.source, event.id, event.retries), record.append_ms,
        )  # fmt: skip
        return item, self._of_value(record.n_bytes, by_reference=bool(event.dataref))

    def _of_value(self, n_bytes: int | None, *, by_reference: bool) -> str:
        if by_reference:
            return "dataref_refused"
        if n_bytes is None:
            return "null_value"
        if n_bytes == 0:
            return "empty_value"
        return "too_large" if n_bytes > self._max_event_bytes else ""
