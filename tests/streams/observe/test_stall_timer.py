"""streams/observe/liveness.py: work that is not done."""

from __future__ import annotations

from streams.observe.liveness import MAX_STEP_MS, StallTimer


def test_time_counts_while_there_is_work_and_nothing_is_done() -> None:
    """From the first look at which both were so."""
    stuck = StallTimer()
    looks = [stuck.look(has_work=True, progress=7, now_ms=now_ms) for now_ms in (0, 500, 1_000)]
    assert looks == [0, 500, 1_000]


def test_progress_begins_it_anew() -> None:
    """However little it is."""
    stuck = StallTimer()
    looks = [stuck.look(has_work=True, progress=p, now_ms=500 * n) for n, p in enumerate((1, 1, 2, 2, 2))]
    assert looks == [0, 500, 0, 500, 1_000]


def test_without_work_nobody_is_stuck() -> None:
    """And work that comes later is not held against what was not done before."""
    stuck = StallTimer()
    looks = [stuck.look(has_work=w, progress=1, now_ms=500 * n) for n, w in enumerate((False, False, True, True))]
    assert looks == [0, 0, 0, 500]


def test_time_in_which_the_process_stood_still_does_not_count() -> None:
    """A worker that was frozen for an hour gets its whole limit to begin again."""
    stuck = StallTimer()
    stuck.look(has_work=True, progress=1, now_ms=0)
    assert stuck.look(has_work=True, progress=1, now_ms=3_600_000) == MAX_STEP_MS
    assert stuck.look(has_work=True, progress=1, now_ms=3_600_500) == MAX_STEP_MS + 500
