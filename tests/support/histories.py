"""Histories of simulated worlds, as they would be read back from a broker."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from streams.decisions.records import Record, Rejected
from streams.join.items import Item, UnfusedDecision
from streams.join.settings import JoinSettings
from syncline.wire.contract import CONTENT_TYPES, DEADLETTER, DECISIONS, FUSED, RESULT_TOPICS, UNFUSED
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.ids import id_hash, record_id, result_id
from tests.support.faults import PRESETS, Faults, small_sizes
from tests.support.outputs import Output
from tests.support.runs import Mode
from tests.support.simulator import World
from tests.support.worlds import Media, Shape, random_media, random_settings
from verify.history import (
    CommitSample,
    Fused,
    FusedMember,
    History,
    LogEntry,
    MediaRecord,
    OffsetSpan,
    PartitionHistory,
    Published,
    Single,
)
from verify.log import fold

SOURCE = "urn:sim"
UNDECODABLE = "image_undecodable"
TOPIC_OF = {"fused": FUSED, "unfused": UNFUSED, "deadletter": DEADLETTER}


class RecordedWorld(World):
    """A world whose records have headers, and whose commits are looked at now and then."""

    def __init__(self, media: Media, *arguments: Any, **named: Any) -> None:
        self.event_ids = {
            (topic, record.offset): str(record.item.id_hash)
            for topic, records in media.items()
            for record in records
            if record is not None and record.item is not None
        }
        self.samples: list[CommitSample] = []
        super().__init__(
            {topic: [_as_contract(r) for r in records] for topic, records in media.items()}, *arguments, **named
        )

    def step(self) -> None:
        """One thing happens; sometimes somebody looks."""
        super().step()
        if self.chance(0.1):
            self.look()

    def look(self) -> None:
        """Take a sample of the commits, then of the ends of the result topics."""
        ends = dict.fromkeys(RESULT_TOPICS, 0)
        for output in self.outputs:
            ends[TOPIC_OF[output.kind]] += 1
        committed = {(topic, 0): offset for topic, offset in self.committed.items()}
        self.samples.append(CommitSample(committed=committed, ends={(topic, 0): end for topic, end in ends.items()}))

    def _as_read(self, topic: str, offset: int) -> Record | None:
        record = super()._as_read(topic, offset)
        if record is not None and record.rejected is not None and record.rejected.reason == "undecodable":
            return record._replace(rejected=Rejected(UNDECODABLE))
        return record

    def history(self) -> History:
        """Everything that is on the broker now."""
        media = {
            topic: [
                self._media_record(topic, record)
                for record in records[: self.produced[topic]]
                if record is not None and record.offset >= self.media_start[topic]
            ]
            for topic, records in self.media.items()
        }
        log = [LogEntry(offset, 0, data) for offset, data in enumerate(self.log) if offset >= self.log_start]
        published = self._published()
        spans = {topic: OffsetSpan(self.media_start[topic], self.produced[topic]) for topic in self.media}
        spans |= {topic: OffsetSpan(0, len(records)) for topic, records in published.items()}
        spans[DECISIONS] = OffsetSpan(self.log_start, len(self.log))
        partition = PartitionHistory(partition=0, media=media, log=log, published=published, spans=spans)
        return History(n_partitions=1, partitions=[partition], commits=self.samples)

    def _media_record(self, topic: str, record: Record) -> MediaRecord:
        append_ms = 1_000_000 + record.offset
        item = record.item
        if item is None:
            return MediaRecord(record.offset, append_ms, None, (), 10)
        modality = topic.removeprefix("media.")
        event = MediaEvent(
            stream=item.stream, modality=modality, source=SOURCE, id=self.event_ids[topic, record.offset],
            time_ms=item.time_ms, content_type=CONTENT_TYPES[modality][0], lane=item.lane,
            duration_ms=item.end_ms - item.time_ms,
        )  # fmt: skip
        return MediaRecord(record.offset, item.append_ms, item.stream.encode(), tuple(build_headers(event)), 10)

    def _published(self) -> dict[str, list[Published]]:
        late_by = {
            (placed.decision.item.topic, placed.decision.item.offset): placed.decision.late_by_ms
            for placed in fold((LogEntry(n, 0, data) for n, data in enumerate(self.log)), 0).valid
            if isinstance(placed.decision, UnfusedDecision)
        }
        published: dict[str, list[Published]] = {topic: [] for topic in RESULT_TOPICS}
        for output in self.outputs:
            topic = TOPIC_OF[output.kind]
            offset = len(published[topic])
            if output.kind == "fused":
                published[topic].append(self._fused(offset, output))
            else:
                name, origin = output.members[0]
                by_ms = late_by.get((name, origin), 0) if output.reason == "late" else 0
                of_set = self._set_id(output) if output.set_members else ""
                single = Single(offset, record_id(name, 0, origin), name, 0, origin, output.reason, by_ms, of_set)
                published[topic].append(single)
        return published

    def _set_id(self, output: Output) -> str:
        places = output.set_members or output.members
        items = [self._item(*place) for place in places]
        parts = [
            (item.lane, item.time_ms, SOURCE, self.event_ids[place]) for item, place in zip(items, places, strict=True)
        ]
        return result_id(output.stream, self.settings.strategy, parts)

    def _fused(self, offset: int, output: Output) -> Fused:
        items = [self._item(topic, number) for topic, number in output.members]
        ids = [self.event_ids[place] for place in output.members]
        start_ms, end_ms = min(item.time_ms for item in items), max(item.end_ms for item in items)
        if self.settings.strategy == "tumbling":
            start_ms, end_ms = output.start_ms, output.start_ms + self.settings.size_ms
        members = tuple(fused_member(item, SOURCE, name) for item, name in zip(items, ids, strict=True))
        said: Any = {"outcome": output.outcome, "reason": output.reason, "missing": output.missing, "members": members}
        return Fused(at=offset, id=self._set_id(output), stream=output.stream, start_ms=start_ms, end_ms=end_ms, **said)

    def _item(self, topic: str, offset: int) -> Item:
        record = self.media[topic][offset]
        assert record is not None
        assert record.item is not None
        return record.item


def fused_member(item: Item, source: str, event_id: str, partition: int = 0) -> FusedMember:
    """A member of a set, as its result names it."""
    modality = item.topic.removeprefix("media.")
    return FusedMember(modality, item.lane, source, event_id, item.topic, partition, item.offset, item.time_ms)


def _as_contract(record: Record | None) -> Record | None:
    """The same record with a lane and an id that its headers can say."""
    if record is None or record.item is None:
        return record
    item = record.item
    lane = item.lane
    if lane in ("image", "text", "audio") and item.topic != f"media.{lane}":
        lane = f"stray-{lane}"
    item = Item(item.stream, lane, item.topic, item.offset, item.time_ms, item.end_ms,
                id_hash(SOURCE, str(item.id_hash)), item.append_ms)  # fmt: skip
    rejected = None if record.rejected is None else Rejected(UNDECODABLE)
    return record._replace(item=item, rejected=rejected)


def recorded_run(
    mode: Mode,
    preset: str | Faults,
    seed: int,
    settings: JoinSettings | None = None,
    *,
    changes: bool = False,
) -> RecordedWorld:
    """One run of a world, the same for the same arguments, over until nothing is left to do.

    changes: half of the workers have other settings, of the same strategy and windows.
    """
    random = Random(f"{mode} {preset} {seed}")
    has_timers = mode == "timers" or (mode == "limits" and random.random() < 0.5)
    settings = settings or random_settings(random, timers=has_timers, limits=mode == "limits")
    shape = Shape(silent=0.2, ending=random.random() < 0.5) if has_timers else Shape()
    faults = PRESETS[preset] if isinstance(preset, str) else preset
    other = random_settings(random, timers=has_timers, limits=mode == "limits") if changes else None
    if other is not None:
        other = msgspec.structs.replace(other, strategy=settings.strategy, size_ms=settings.size_ms)
    world = RecordedWorld(
        random_media(random, settings, shape), settings, random, faults, fetch=random.choice((1, 3, 5, 20)),
        other=other,
    )  # fmt: skip
    with small_sizes(random):
        world.run()
    world.look()
    return world
