"""From the log to the state at the committed offsets, and when that is impossible."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from streams.decisions.entries import Batch, Claim, LogRecord, SnapshotPart, encode_entry
from streams.decisions.ownership import LogValidator
from streams.decisions.recovery import NotRecoverableError, ReadLog, Recovered, recover
from streams.join.items import RunDecision
from streams.join.settings import JoinSettings
from tests.support.driven import TOPICS, Driven, records_of
from tests.support.worlds import Media, media_of

SETTINGS = JoinSettings(tolerance_ms=45, max_wait_ms=10**8)


def _moments(n_moments: int) -> Media:
    times = [("s", 1_000 + 100 * n) for n in range(n_moments)]
    return media_of(image=times, text=times, audio=times)


def test_an_empty_log_without_committed_offsets_is_a_fresh_start() -> None:
    """Nothing was ever decided, and nothing is missed."""
    assert Driven(SETTINGS).owner.state == "owning"


def test_an_empty_log_beside_committed_offsets_is_refused() -> None:
    """It was deleted or emptied: what was decided is not known any more."""
    with pytest.raises(NotRecoverableError, match="deleted or emptied"):
        Driven(SETTINGS, committed={"media.image": 5})


def test_a_log_that_was_cut_at_its_start_is_refused_without_a_snapshot() -> None:
    """Decisions on records above the committed offsets may have been in what is gone."""
    first = Driven(SETTINGS).feed(_moments(3)).settle()
    with pytest.raises(NotRecoverableError, match="starts at offset 1"):
        Driven(SETTINGS, first.log, first.committed, worker="b", generation=2, log_start=1)


def test_a_log_that_was_cut_before_a_snapshot_is_enough() -> None:
    """A snapshot at or below the committed offsets needs nothing from before its `replay_from`."""
    first = Driven(SETTINGS).feed(_moments(3)).settle().snapshot()
    second = Driven(SETTINGS, first.log, first.committed, worker="b", generation=2, log_start=2)
    assert second.feed(_moments(4)).settle().fused == [tuple((topic, 3) for topic in TOPICS)]


def test_recovery_reads_no_further_back_than_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In chunks, backwards, to the newest snapshot."""
    monkeypatch.setattr("streams.decisions.recovery.CHUNK_ENTRIES", 4)
    first = Driven(SETTINGS)
    for n_moments in range(1, 40):
        first.feed(_moments(n_moments)).settle()
    second = first.snapshot().successor()
    assert second.owner.state == "owning"
    assert min(start for start, _ in second.requests) > 30


def test_a_snapshot_whose_last_part_is_missing_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the clocks would let late items in: an older snapshot, or the whole log, is read instead."""
    monkeypatch.setattr("streams.decisions.snapshots.PART_BYTES", 1)
    first = Driven(SETTINGS).feed(_moments(3)).settle().snapshot()
    first.log.pop()
    second = first.successor()
    late = {"media.image": media_of(image=[("s", 0)] * 4)["media.image"][3:]}
    assert second.feed(late).settle().said("unfused") == [("late", ("media.image", 3))]


def test_offsets_without_records_are_not_committed_beside_a_log_without_decisions() -> None:
    """All records were deleted before the first worker came: the next one must not take the log for emptied."""
    first = Driven(SETTINGS).feed({topic: [None] * 5 for topic in TOPICS}).settle()
    assert first.committed == dict.fromkeys(TOPICS, 0)
    assert first.successor().owner.state == "owning"


def test_an_older_snapshot_serves_where_the_newest_asks_for_what_was_cut() -> None:
    """Between the two, retention of a media topic let a worker forget what the one after it asked for again."""

    def snapshot(claim: int, replay_from: int) -> SnapshotPart:
        return SnapshotPart(claim, 1, 0, 1, {"media.text": 0}, replay_from, -1, None, [], {"s": replay_from})

    entries = [Claim("a", 1, 0, 0), snapshot(25, 27), Claim("b", 2, 0, 0), snapshot(27, 6)]
    log = [LogRecord(25 + n, encode_entry(entry)) for n, entry in enumerate(entries)]
    reading = recover({"media.text": 0}, log_start=25, log_end=29)
    next(reading)
    with pytest.raises(StopIteration) as ended:
        reading.send(log)
    assert [part.bounds for part in ended.value.value.snapshot] == [{"s": 27}]


def _recovered(log: list[LogRecord], committed: Mapping[str, int]) -> tuple[Recovered, list[ReadLog]]:
    """What a recovery from this log finds, and what it asks for, one request a step."""
    reading = recover(committed, 0, len(log))
    requests = [next(reading)]
    while True:
        try:
            requests.append(reading.send(log[requests[-1].start : requests[-1].stop]))
        except StopIteration as ended:
            return ended.value, requests


def test_recovery_looks_at_each_entry_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for snapshots and once to fold it, however many chunks it comes in: twice the log costs twice the time."""
    run = RunDecision("media.image", 0, 0, "unfused", "late")
    entries = [Batch(n - n % 20, n, [run]) if n % 20 else Claim("w", 1, 0, n) for n in range(500)]
    log = [LogRecord(offset, encode_entry(entry)) for offset, entry in enumerate(entries)]
    n_applied, apply = 0, LogValidator.apply

    def counting(view: LogValidator, offset: int, entry: Claim | Batch | SnapshotPart | None) -> object:
        nonlocal n_applied
        n_applied += 1
        return apply(view, offset, entry)

    monkeypatch.setattr("streams.decisions.recovery.CHUNK_ENTRIES", 5)
    monkeypatch.setattr(LogValidator, "apply", counting)
    _recovered(log, {TOPICS[0]: 0})
    assert n_applied <= 2 * len(log)


def test_a_chunk_of_large_batches_is_taken_in_steps() -> None:
    """Everything else that runs has a turn after each megabyte, or less, of what a chunk holds."""
    runs = [RunDecision("media.image", n, n, "unfused", "late") for n in range(5_000)]
    entries = [Claim("w", 1, 0, 0), *[Batch(0, number, runs) for number in range(1, 50)]]
    log = [LogRecord(offset, encode_entry(entry)) for offset, entry in enumerate(entries)]
    rests = [request for request in _recovered(log, {TOPICS[0]: 0})[1] if request.start == request.stop]
    assert len(rests) >= sum(len(record.data) for record in log) // 1_000_000


def test_what_the_log_decided_is_taken_over_in_steps() -> None:
    """250,000 decisions of one chunk would stop the event loop for seconds."""
    first = Driven(SETTINGS)
    late = [RunDecision("media.image", 500 * n, 500 * n + 499, "unfused", "late") for n in range(20)]
    first.log.append(encode_entry(Batch(0, 1, late)))
    requests = first.successor().requests
    assert sum(start == stop for start, stop in requests) >= 5


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 500])
def test_how_a_log_is_cut_into_chunks_makes_no_difference(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots, claims and what is valid are found the same."""
    first = Driven(SETTINGS)
    for n_moments in range(1, 9):
        first.feed(_moments(n_moments)).settle().snapshot()
    second = first.successor().feed(_moments(9)).settle()

    def found() -> tuple[object, ...]:
        recovered, _ = _recovered(records_of(second.log), second.committed)
        return recovered.view.claim, recovered.snapshot, recovered.decisions, recovered.newest_at, recovered.checkpoint

    whole = found()
    monkeypatch.setattr("streams.decisions.recovery.CHUNK_ENTRIES", chunk)
    assert found() == whole
