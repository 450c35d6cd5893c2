"""From the log to the state at the committed offsets, and when that is impossible."""

from __future__ import annotations

import pytest

from streams.decisions.entries import Claim, LogRecord, SnapshotPart, encode_entry
from streams.decisions.recovery import NotRecoverableError, recover
from streams.join.settings import JoinSettings
from tests.support.driven import TOPICS, Driven
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
    monkeypatch.setattr("streams.decisions.snapshot.PART_BYTES", 1)
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
