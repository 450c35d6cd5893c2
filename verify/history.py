"""A history: everything that a deployment's topics say, as plain data for the checker.

Topics are named without their prefix. Lists are in offset order. What the broker had deleted before it was read is
below its topic's `OffsetSpan.start`; any other offset that is missing never held a record.
"""

from __future__ import annotations

import msgspec

from syncline.kafka.topic_reader import OffsetSpan
from syncline.send_log import Send
from syncline.wire.converted import Kind
from syncline.wire.results import EventOrigin, FusedSet, MemberOrigin

Headers = tuple[tuple[str, bytes | None], ...]
NOWHERE = -1
"""The offset of what has been decoded and not yet placed: no value says it, so its field has no name there."""


class MediaRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a media topic without its payload; `n_bytes` of the value is None where the value is null."""

    offset: int
    append_ms: int
    key: bytes | None
    headers: Headers
    n_bytes: int | None


class LogEntry(msgspec.Struct, frozen=True, gc=False):
    """One record of the decision log, as it stands there; `version` is what its header says, None without one."""

    offset: int
    append_ms: int
    data: bytes
    version: bytes | None = None


class FusedMember(MemberOrigin, frozen=True, gc=False):
    """One member of a fused result without its words: its event's id is hashed with `retries`."""

    retries: int = 0


class Fused(FusedSet, frozen=True, kw_only=True, gc=False):
    """One record of `results.fused`, at offset `at`, without what a model said and timings."""

    at: int = msgspec.field(default=NOWHERE, name="")
    members: tuple[FusedMember, ...]


class Single(msgspec.Struct, frozen=True, gc=False):
    """One record of `unfused` or `deadletter`, at offset `at`: the record it speaks of, and why.

    `set_id`: of a set that failed.
    """

    at: int
    id: str
    topic: str
    partition: int
    offset: int
    reason: str
    late_by_ms: int = 0
    set_id: str = ""


class PublishedConversion(EventOrigin, frozen=True, kw_only=True, gc=False):
    """One record of `converted.*`, at offset `at`, without what a model said. `set_id`: the event's set, or ""."""

    at: int = msgspec.field(default=NOWHERE, name="")
    kind: Kind
    set_id: str = ""


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """One record of a result topic, at offset `at`, that is none of Syncline's."""

    at: int
    error: str


Published = Fused | Single | PublishedConversion | Unreadable


class PartitionHistory(msgspec.Struct, kw_only=True):
    """One partition number: its media, its decision log and what was published of it."""

    partition: int
    media: dict[str, list[MediaRecord]] = {}
    aborted: dict[str, list[MediaRecord]] = {}
    """By topic, records of transactions that were aborted. No worker reads them; they are not in `media`."""
    unstable: dict[str, list[MediaRecord]] = {}
    """By topic, records from the first open transaction on, others' too. No worker can read them yet."""
    log: list[LogEntry] = []
    published: dict[str, list[Published]] = {}
    spans: dict[str, OffsetSpan] = {}
    """By topic, `decisions` too."""

    def span(self, topic: str) -> OffsetSpan:
        """What was read of a topic."""
        return self.spans.get(topic, OffsetSpan())


class CommitSample(msgspec.Struct, kw_only=True):
    """Committed offsets of the workers' group, and ends of the result topics that were asked for *after* them.

    Keys are (topic, partition). A commit is the next offset to read: all below it must have its outcome below `ends`.
    """

    committed: dict[tuple[str, int], int]
    ends: dict[tuple[str, int], int]


class History(msgspec.Struct, kw_only=True):
    """All partition numbers of one deployment, samples of its commits in time order, its producers' sends."""

    n_partitions: int
    partitions: list[PartitionHistory]
    commits: list[CommitSample] = []
    sends: list[Send] = []
