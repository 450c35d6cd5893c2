"""What retention has deleted is no violation, what it cannot have deleted is one, and the table says what is gone."""

from __future__ import annotations

import msgspec
import pytest

from syncline.wire.contract import DECISIONS, FUSED, MEDIA_TOPICS
from tests.support.long_history import long_history, settings_of_long
from verify import History, OffsetSpan, Report, check
from verify.history import PartitionHistory

N_MOMENTS, N_STREAMS = 2_000, 4


@pytest.fixture
def history() -> History:
    """Seven minutes of four streams."""
    return long_history(n_moments=N_MOMENTS, n_streams=N_STREAMS)


def judged(history: History, *, finished: bool = True) -> Report:
    """What the checker says."""
    return check(history, settings_of_long(), finished=finished)


def delete(partition: PartitionHistory, topic: str, start: int) -> None:
    """Delete what a topic has below an offset, as retention does."""
    if topic == DECISIONS:
        partition.log = [entry for entry in partition.log if entry.offset >= start]
        first_ms = partition.log[0].append_ms if partition.log else 0
    elif topic in MEDIA_TOPICS:
        partition.media[topic] = [record for record in partition.media[topic] if record.offset >= start]
        first_ms = partition.media[topic][0].append_ms
    else:
        partition.published[topic] = [record for record in partition.published[topic] if record.at >= start]
        first_ms = next(entry.append_ms for entry in partition.log if entry.offset > start // 200)
    partition.spans[topic] = OffsetSpan(start, partition.spans[topic].end, first_ms)


def test_deleted_media_are_known_from_the_log(history: History) -> None:
    """Records that are gone keep their decisions and results, and are counted as deleted."""
    (partition,) = history.partitions
    for topic in MEDIA_TOPICS:
        delete(partition, topic, 500)
    report = judged(history)
    assert report.violations == []
    assert report.counts["deleted by retention"] == dict.fromkeys(MEDIA_TOPICS, 500)
    assert report.counts["records"]["deleted by retention, known from the log"] == 1_500
    assert report.counts["records"]["fused"] == 3 * (N_MOMENTS - 500)


def test_deleted_results_are_not_missed(history: History) -> None:
    """A decision older than the oldest result that is left may have been carried out in what is gone."""
    (partition,) = history.partitions
    delete(partition, FUSED, 1_000)
    report = judged(history)
    assert report.violations == []
    assert report.counts["records"]["outcome deleted by retention"] == 3_000


def test_a_result_that_cannot_have_been_deleted_is_missed(history: History) -> None:
    """A decision much newer than the oldest result that is left was carried out after it, or never."""
    (partition,) = history.partitions
    delete(partition, FUSED, 200)
    gone = partition.published[FUSED].pop()
    report = judged(history)
    assert report.n_by_kind == {"no outcome": 3}
    assert {place for one in report.violations for place in one.records} == {
        (member.topic, member.offset) for member in gone.members
    }


def test_a_cut_log_is_judged_from_where_it_is_sure(history: History) -> None:
    """What was decided in the part that is gone is taken as it was published."""
    (partition,) = history.partitions
    delete(partition, DECISIONS, 5)
    report = judged(history)
    assert report.violations == []
    n_judged = report.counts["decisions"]["set, complete by complete"]
    n_unsure = report.counts["log"]["decisions before the first sure claim"]
    assert n_judged > 0 < n_unsure
    assert n_judged + n_unsure < N_MOMENTS
    assert report.counts["records"]["fused"] == 3 * N_MOMENTS


def test_all_of_it_together(history: History) -> None:
    """Media, results and log have each lost their beginning, the log less of it: as after weeks of running."""
    (partition,) = history.partitions
    for topic in (*MEDIA_TOPICS, FUSED):
        delete(partition, topic, 1_200)
    delete(partition, DECISIONS, 3)
    report = judged(history)
    assert report.violations == []
    assert report.counts["records"]["fused"] == 3 * (N_MOMENTS - 1_200)


def test_what_is_left_is_judged_all_the_same(history: History) -> None:
    """A result with another reason is found behind what is gone."""
    (partition,) = history.partitions
    for topic in MEDIA_TOPICS:
        delete(partition, topic, 500)
    last = partition.published[FUSED][-1]
    partition.published[FUSED][-1] = msgspec.structs.replace(last, reason="timeout")
    assert set(judged(history).n_by_kind) == {"void effect", "no outcome"}
