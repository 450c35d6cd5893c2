"""streams/worker/log_limit.py: what repeats is said once a minute, and nothing that differs is lost."""

from __future__ import annotations

import logging
import random
from collections import Counter
from itertools import pairwise

import pytest

from streams.worker.log_limit import MAX_TEXTS, Kind, RepeatLimit, WithheldLines, kind_of

KIND, OTHER = Kind("aiokafka", logging.ERROR, "cannot connect to #"), Kind("asyncio", logging.ERROR, "never retrieved")
WINDOW_S = 60.0


def record(text: str, *args: object, name: str = "a", level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord(name, level, "file", 1, text, args, None)


def test_the_first_is_logged_and_its_likes_are_counted() -> None:
    """At the end of its minute they are told, once; and nothing where nothing was held back."""
    limit = RepeatLimit(WINDOW_S)
    assert limit.admits(KIND, "cannot connect to 1", 0.0)
    assert limit.admits(OTHER, "never retrieved", 0.5)
    assert [limit.admits(KIND, "cannot connect to 1", float(now_s)) for now_s in range(1, 50)] == [False] * 49
    assert limit.due(59.9) == []
    assert limit.due(61.0) == [WithheldLines(KIND, 49, 61.0, ("cannot connect to 1",))]
    assert limit.due(200.0) == []


def test_what_was_told_begins_the_next_minute() -> None:
    """So a kind has one line a minute, for as long as it goes on; after a quiet one it is logged as it is again."""
    limit = RepeatLimit(WINDOW_S)
    lines = 0
    for tenth in range(6_000):
        lines += len(limit.due(tenth / 10)) + limit.admits(KIND, "x", tenth / 10)
    assert lines == 10
    assert len(limit.due(600.0)) == 1
    assert limit.due(660.0) == []
    assert limit.admits(KIND, "x", 660.0)


def test_texts_that_differ_are_told() -> None:
    """Of a kind in which only the numbers differ, such as partitions: each of them once."""
    limit = RepeatLimit(WINDOW_S)
    for text in ("partition 0", "partition 1", "partition 1", "partition 0", "partition 2"):
        limit.admits(KIND, text, 1.0)
    (held,) = limit.due(61.0)
    assert str(held) == "4 more like this in 60 s: partition 1; partition 2"


def test_of_our_own_each_text_is_logged_at_once() -> None:
    """Up to a bound: an error for each partition must not wait for a minute, nor be one of many."""
    limit = RepeatLimit(WINDOW_S)
    assert [limit.admits(KIND, f"partition {n // 2}", 0.0, n_texts=3) for n in range(8)] == [True, False] * 3 + [
        False
    ] * 2
    (held,) = limit.due(60.0)
    assert str(held) == "5 more like this in 60 s: partition 3"


def test_memory_is_bounded() -> None:
    """However many kinds and texts there are: what is remembered no more has been told."""
    limit, counted = RepeatLimit(WINDOW_S, max_kinds=10), 0
    for n in range(1_000):
        kind = Kind("a", logging.ERROR, f"kind {n // 10}")
        counted += sum(held.n for held in limit.due(1.0)) + limit.admits(kind, f"text {n}", 1.0)
        assert len(limit._windows) <= 11
    rest = limit.rest(2.0)
    assert counted + sum(held.n for held in rest) == 1_000
    assert all(len(held.texts) <= MAX_TEXTS for held in rest)


def test_nothing_is_lost_and_nothing_said_too_often() -> None:
    """Over random histories: what is logged and what is told add up, and no kind has two lines within a minute."""
    for seed in range(100):
        rng, limit, now_s = random.Random(seed), RepeatLimit(WINDOW_S), 0.0
        came, logged, lines = Counter[Kind](), Counter[Kind](), dict[Kind, list[float]]()
        for _ in range(300):
            now_s += rng.choice([0.01, 1.0, 30.0, 100.0]) * rng.random()
            kind = rng.choice([KIND, OTHER])
            for held in limit.due(now_s):
                logged[held.kind] += held.n
                lines.setdefault(held.kind, []).append(now_s)
            came[kind] += 1
            if limit.admits(kind, "text", now_s):
                logged[kind] += 1
                lines.setdefault(kind, []).append(now_s)
        for held in limit.rest(now_s):
            logged[held.kind] += held.n
        assert logged == came
        gaps = [after - before for at in lines.values() for before, after in pairwise(at)]
        assert min(gaps, default=WINDOW_S) >= WINDOW_S - 1e-6


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (record("to %s:%d", "127.0.0.1", 9092), record("to %s:%d", "127.0.0.1", 53113), True),
        (record("<Task name='Task-1' at 0x7f63b>"), record("<Task name='Task-22' at 0x7eef0>"), True),
        (record("member faust-0.15.3-ad29-bb"), record("member faust-0.15.3-cc21-0a"), True),
        (record("to %s", "a"), record("to %s", "b"), False),
        (record("%s", "waiting"), record("%s", "refused"), False),
        (record("x"), record("x", name="b"), False),
        (record("x"), record("x", level=logging.WARNING), False),
        (record("generation 1", level=logging.INFO), record("generation 2", level=logging.INFO), False),
        (record("stopped", level=logging.INFO), record("stopped", level=logging.INFO), True),
    ],
    ids=["port", "task", "member", "word", "whole text", "logger", "level", "number of an info", "info"],
)
def test_which_records_are_alike(one: logging.LogRecord, other: logging.LogRecord, alike: bool) -> None:
    """Words with digits in them do not count, from WARNING on; all else does."""
    assert (kind_of(one) == kind_of(other)) == alike


def test_errors_that_differ_are_not_alike() -> None:
    """The same words over another exception: its traceback is shown."""

    def of(error: Exception) -> Kind:
        return kind_of(logging.LogRecord("a", logging.ERROR, "f", 1, "failed", (), (type(error), error, None)))

    assert of(OSError("reset by 1.2.3.4:99")) == of(OSError("reset by 1.2.3.5:22"))
    assert len({of(OSError("reset")), of(ValueError("reset")), of(OSError("refused"))}) == 3
