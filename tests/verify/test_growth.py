"""The checker judges placement by what the claims say of partitions."""

from __future__ import annotations

import pytest

from streams.decisions.entries import Claim, FormerPlacement, encode_entry
from streams.join.items import DeadLetterDecision
from syncline.wire.contract import DECISIONS, MEDIA_TOPICS
from syncline.wire.placement import partition_for
from tests.support.drafts import Draft
from verify import OffsetSpan
from verify.history import LogEntry
from verify.report import Place


@pytest.fixture
def draft() -> Draft:
    """A history of one partition number, whose workers have counted one."""
    return Draft("earliest")


def larger(draft: Draft) -> int:
    """A number of partitions by which some of its records would be elsewhere."""
    keys = {record.key or b"" for _, record in draft.media()}
    return next(n for n in range(2, 99) if any(partition_for(key, n) for key in keys))


def claim(draft: Draft, n_partitions: int, *, says: bool) -> None:
    """A worker that counts more claims the log; it says what lies below the ends, or it does not."""
    ends = {topic: draft.partition.spans[topic].end for topic in MEDIA_TOPICS}
    placed = (FormerPlacement(1, ends),) if says else ()
    offset = len(draft.partition.log)
    data = encode_entry(Claim("new", 99, 0, 0, n_partitions=n_partitions, placed=placed))
    draft.partition.log.append(LogEntry(offset, 0, data))
    draft.partition.spans[DECISIONS] = OffsetSpan(0, offset + 1)


def test_as_long_as_no_worker_has_counted_more_the_old_number_holds(draft: Draft) -> None:
    """The topics have grown, and nobody has begun to work on it."""
    draft.history.n_partitions = larger(draft)
    assert draft.check().violations == []


def test_below_what_a_claim_says_the_old_number_holds(draft: Draft) -> None:
    """As for the worker that claimed."""
    claim(draft, larger(draft), says=True)
    assert draft.check().violations == []


def test_without_it_records_are_misrouted_by_the_new_number(draft: Draft) -> None:
    """So a worker that forgot to say it, and went by the old number all the same, is found out."""
    claim(draft, larger(draft), says=False)
    assert "wrong decision" in {violation.kind for violation in draft.check().violations}


def test_what_a_worker_called_misrouted_before_it_saw_the_growth_may_stand(draft: Draft) -> None:
    """Its place was right by one number, and by the one that the worker knew it was not."""
    n_partitions = larger(draft)
    last = next(
        decision for decision in reversed(draft.sets()) if partition_for(decision.stream.encode(), n_partitions)
    )
    letters = [DeadLetterDecision(item.topic, item.offset, "misrouted", None) for item in last.members]
    draft.decide_instead(last, *letters)

    def blamed() -> set[Place]:
        """The records that are no dead letters, by the checker; what hangs on their watermarks is not looked at."""
        wrong = [violation for violation in draft.check().violations if "dead letter" in violation.sentence]
        return {place for violation in wrong for place in violation.records}

    assert blamed() == {(letter.topic, letter.offset) for letter in letters}
    claim(draft, n_partitions, says=True)
    assert blamed() == set()
