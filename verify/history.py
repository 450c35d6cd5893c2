"""A history: the content of a deployment's topics as plain data for the checker.

Topics are named without prefix. Lists are in offset order. Records deleted before reading are below their topic's
`OffsetSpan.start`; any other missing offset never had a record.
"""

from __future__ import annotations

import msgspec

from syncline.kafka.topic_reader import OffsetSpan
from syncline.send_log import Send
from syncline.wire.converted import Kind
from syncline.wire.results import EventOrigin, FusedSet, MemberOrigin

Headers = tuple[tuple[str, bytes | None], ...]
NOWHERE = -1
"""The offset of a decoded record before it is set: the value does not contain it."""


class MediaRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a media topic without its payload; `n_bytes` is its size, None for a null value."""

    offset: int
    append_ms: int
    key: bytes | None
    headers: Headers
    n_bytes: int | None


class LogEntry(msgspec.Struct, frozen=True, gc=False):
    """One record of the decision log; `version` is its header's, None without one."""

    offset: int
    append_ms: int
    data: bytes
    version: bytes | None = None


class FusedMember(MemberOrigin, frozen=True, gc=False):
    """One member of a fused result without its words; `retries` is part of its event's id hash."""

    retries: int = 0


class Fused(FusedSet, frozen=True, kw_only=True, gc=False):
    """One record of `results.fused`, at offset `at`, without the model's answer and timings."""

    at: int = msgspec.field(default=NOWHERE, name="")
    members: tuple[FusedMember, ...]


class Single(msgspec.Struct, frozen=True, gc=False):
    """One record of `unfused` or `deadletter`, at offset `at`: the original record, and why.

    `set_id` is that of a failed set.
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
    """One record of `converted.*`, at offset `at`, without its text or sound. `set_id` is the event's set, or ""."""

    at: int = msgspec.field(default=NOWHERE, name="")
    kind: Kind
    set_id: str = ""


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """One record of a result topic, at offset `at`, that Syncline did not write."""

    at: int
    error: str


Published = Fused | Single | PublishedConversion | Unreadable


class PartitionHistory(msgspec.Struct, kw_only=True):
    """One partition number: its media, decision log and published records."""

    partition: int
    media: dict[str, list[MediaRecord]] = {}
    aborted: dict[str, list[MediaRecord]] = {}
    """By topic, records of aborted transactions. Workers do not read them; they are not in `media`."""
    unstable: dict[str, list[MediaRecord]] = {}
    """By topic, all records from the first open transaction on. Workers cannot read them yet."""
    log: list[LogEntry] = []
    published: dict[str, list[Published]] = {}
    spans: dict[str, OffsetSpan] = {}
    """By topic, with `decisions`."""

    def span(self, topic: str) -> OffsetSpan:
        """Return the span that was read of a topic."""
        return self.spans.get(topic, OffsetSpan())


class CommitSample(msgspec.Struct, kw_only=True):
    """Committed offsets of the workers' group, and the result topics' ends, asked for *after* them.

    Keys are (topic, partition). A commit is the next offset to read: all records below it must have an outcome below
    `ends`.
    """

    committed: dict[tuple[str, int], int]
    ends: dict[tuple[str, int], int]


class History(msgspec.Struct, kw_only=True):
    """All partition numbers of a deployment, its commit samples in time order, and its producers' sends."""

    n_partitions: int
    partitions: list[PartitionHistory]
    commits: list[CommitSample] = []
    sends: list[Send] = []
