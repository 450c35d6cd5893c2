"""A history that a test may change: its decisions, its results, its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TypeVar

import msgspec

from streams.decisions.entries import Batch, Claim, LogRecord, decode_entry, encode_entry, keys_of
from streams.join.items import DeadLetterDecision, Decision, Item, RunDecision, SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings
from syncline.wire.contract import DEADLETTER, DECISIONS, FUSED, H_ID, RESULT_TOPICS, UNFUSED
from syncline.wire.ids import record_id, result_id
from tests.support.histories import SOURCE, fused_member, recorded_run
from verify import History, OffsetSpan, Report, check
from verify.history import Fused, FusedMember, LogEntry, MediaRecord, Published, Single
from verify.log import LoggedDecision, fold
from verify.report import Place

T = TypeVar("T")

SETTINGS = {
    "earliest": JoinSettings(tolerance_ms=45, max_wait_ms=10**8),
    "nearest": JoinSettings(strategy="nearest", tolerance_ms=45, max_wait_ms=10**8),
    "share": JoinSettings(strategy="nearest", share=True, tolerance_ms=120, max_wait_ms=10**8),
    "tumbling": JoinSettings(strategy="tumbling", size_ms=250, max_wait_ms=10**8),
    "require": JoinSettings(tolerance_ms=45, max_wait_ms=10**8, require=("text",)),
    "timers": JoinSettings(tolerance_ms=45, max_wait_ms=300),
    "nearest timers": JoinSettings(strategy="nearest", tolerance_ms=45, max_wait_ms=300),
}


class Draft:
    """One partition number's history of a run without faults, to be spoilt by a test."""

    def __init__(self, kind: str, seed: int = 1, preset: str = "none") -> None:
        self.settings = SETTINGS[kind]
        world = recorded_run("timers" if "timers" in kind else "logs", preset, seed, settings=self.settings)
        self.history: History = deepcopy(world.history())
        self.partition = self.history.partitions[0]
        self.convert: tuple[str, ...] = ()
        """What the workers were told to convert to."""

    def check(self, *, finished: bool = True) -> Report:
        """What the checker says of it."""
        return check(self.history, self.settings, finished=finished, convert=self.convert)

    # --- the log ---------------------------------------------------------------------------------------------------

    def valid(self) -> list[LoggedDecision]:
        """The valid decisions in log order."""
        return fold(self.partition.log, 0).valid

    def find(self, wanted: Callable[[Decision], bool], nth: int = 0) -> LoggedDecision:
        """The nth decision that a test looks for."""
        return [placed for placed in self.valid() if wanted(placed.decision)][nth]

    def sets(self, reason: str = "complete", n_members: int = 3) -> list[SetDecision]:
        """The sets that were decided for a reason, in log order."""
        decisions = [placed.decision for placed in self.valid()]
        return [
            d for d in decisions if isinstance(d, SetDecision) and d.reason == reason and len(d.members) == n_members
        ]

    def rewrite(self, change: Callable[[Decision], list[Decision]]) -> None:
        """Put other decisions in the place of each one."""
        for at, entry in enumerate(self.partition.log):
            said = decode_entry(LogRecord(entry.offset, entry.data))
            if isinstance(said, Batch):
                decisions = [new for old in said.decisions for new in change(old)]
                data = encode_entry(msgspec.structs.replace(said, decisions=decisions))
                self.partition.log[at] = LogEntry(entry.offset, entry.append_ms, data)

    def swap(self, old: Decision, *new: Decision) -> None:
        """Put decisions in the place of one."""
        self.rewrite(lambda decision: list(new) if decision == old else [decision])

    def append(self, *decisions: Decision, void: bool = False) -> int:
        """Append a batch, valid or behind somebody else's claim; its offset."""
        claim_at, claim, number = -1, Claim("w", 1, 0, 0), 0
        for entry in self.partition.log:
            said = decode_entry(LogRecord(entry.offset, entry.data))
            if isinstance(said, Claim):
                claim_at, claim = entry.offset, said
            if said is not None:
                number = max(number, said.number + 1)
        if void:
            self._append(encode_entry(Claim("other", claim.generation + 1, claim.era, number)))
        return self._append(encode_entry(Batch(claim_at, number, list(decisions))))

    def _append(self, data: bytes) -> int:
        offset = len(self.partition.log)
        self.partition.log.append(LogEntry(offset, 0, data))
        self.partition.spans[DECISIONS] = OffsetSpan(0, offset + 1)
        return offset

    def decide_instead(self, old: Decision, *new: Decision) -> None:
        """Put decisions in the place of one, and publish what a worker publishes for the log as it is then."""
        self.swap(old, *new)
        self.history.commits.clear()
        self.partition.published = {topic: [] for topic in RESULT_TOPICS}
        for placed in self.valid():
            for topic, record in self.outputs_of(placed.decision):
                self.publish(topic, record)

    # --- results ---------------------------------------------------------------------------------------------------

    def results(self, topic: str, kind: type[T]) -> list[T]:
        """What stands in a result topic."""
        return [record for record in self.partition.published[topic] if isinstance(record, kind)]

    def fused_of(self, decision: SetDecision) -> Fused:
        """The first result of a set."""
        places = places_of(decision)
        return next(r for r in self.results(FUSED, Fused) if [(m.topic, m.offset) for m in r.members] == places)

    def publish(self, topic: str, record: Published) -> None:
        """Add a record to a result topic."""
        records = self.partition.published[topic]
        records.append(msgspec.structs.replace(record, at=len(records)))
        self.partition.spans[topic] = OffsetSpan(0, len(records))

    def outputs_of(self, decision: Decision) -> list[tuple[str, Published]]:
        """What a worker publishes for a decision, with its topic."""
        if isinstance(decision, SetDecision):
            return [(FUSED, self._fused(decision))]
        topic, reason, late_by_ms = DEADLETTER, "", 0
        if isinstance(decision, UnfusedDecision):
            topic, reason, late_by_ms = UNFUSED, decision.reason, decision.late_by_ms
        elif isinstance(decision, DeadLetterDecision | RunDecision):
            reason = decision.reason
        else:
            return []
        return [
            (topic, Single(0, record_id(name, 0, offset), name, 0, offset, reason, late_by_ms))
            for name, offset in keys_of(decision)
        ]

    def _fused(self, decision: SetDecision) -> Fused:
        members: list[FusedMember] = []
        for item in decision.members:
            record = next(r for r in self.partition.media[item.topic] if r.offset == item.offset)
            event_id = (dict(record.headers)[H_ID] or b"").decode()
            members.append(fused_member(item, SOURCE, event_id))
        parts = [(member.lane, member.time_ms, member.source, member.event_id) for member in members]
        name = result_id(decision.stream, decision.strategy, parts)
        start_ms, end_ms = min(m.time_ms for m in members), max(item.end_ms for item in decision.members)
        if decision.strategy == "tumbling":
            start_ms, end_ms = decision.start_ms, decision.start_ms + self.settings.size_ms
        return Fused(
            id=name, stream=decision.stream, start_ms=start_ms, end_ms=end_ms, outcome=decision.outcome,
            reason=decision.reason, missing=decision.missing, members=tuple(members),
        )  # fmt: skip

    def change_results(self, topic: str, change: Callable[[Published], Published | None]) -> None:
        """Change or remove records of a result topic; offsets stay."""
        changed = [new for record in self.partition.published[topic] if (new := change(record)) is not None]
        self.partition.published[topic] = changed

    # --- records ---------------------------------------------------------------------------------------------------

    def media(self) -> Iterator[tuple[str, MediaRecord]]:
        """All media records."""
        for topic, records in self.partition.media.items():
            for record in records:
                yield topic, record

    def add_media(self, topic: str, record: MediaRecord) -> Place:
        """Put a record at the end of a topic; where it is."""
        offset = self.partition.spans[topic].end
        self.partition.media[topic].append(msgspec.structs.replace(record, offset=offset))
        self.partition.spans[topic] = OffsetSpan(0, offset + 1)
        return topic, offset

    def abort(self, topic: str, offset: int, *, still_open: bool = False) -> MediaRecord:
        """Have the transaction of a record be aborted, or be open still."""
        record = next(one for one in self.partition.media[topic] if one.offset == offset)
        self.partition.media[topic].remove(record)
        into = self.partition.unstable if still_open else self.partition.aborted
        into.setdefault(topic, []).append(record)
        return record


def places_of(decision: SetDecision) -> list[Place]:
    """Where a set's members are."""
    return [(item.topic, item.offset) for item in decision.members]


def with_members(decision: SetDecision, *members: Item) -> SetDecision:
    """The same set with other members."""
    return msgspec.structs.replace(decision, members=members)
