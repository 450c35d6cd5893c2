"""How decisions are cut into batches."""

from __future__ import annotations

import msgspec
import pytest

from streams.decisions.holds import Holds
from streams.decisions.outbox import Outbox
from streams.decisions.records import Record
from streams.join.model import Decision, SetDecision, UnfusedDecision
from tests.support.joining import item


def _outbox(*decisions: Decision) -> Outbox:
    outbox = Outbox(Holds({"media.image": 0, "media.text": 0, "media.audio": 0}))
    outbox.extend(decisions)
    return outbox


def test_a_batch_takes_what_fits_and_leaves_the_rest_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are in decisions."""
    monkeypatch.setattr("streams.decisions.outbox.BATCH_DECISIONS", 2)
    decisions = [UnfusedDecision(item("image", 0, n), "duplicate") for n in range(5)]
    outbox = _outbox(*decisions)
    assert [outbox.take_batch() for _ in range(3)] == [decisions[:2], decisions[2:4], decisions[4:]]
    assert not outbox


def test_the_members_of_a_given_up_set_are_never_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a successor, who knows the first half only, would fuse the other half with somebody else."""
    monkeypatch.setattr("streams.decisions.outbox.BATCH_DECISIONS", 2)
    alone = UnfusedDecision(item("image", 0, 0), "duplicate")
    given_up = [UnfusedDecision(item(lane, 100, 1), "unmatched") for lane in ("image", "text", "audio")]
    outbox = _outbox(alone, *given_up, alone)
    assert [outbox.take_batch(), outbox.take_batch()] == [[alone, *given_up], [alone]]


def test_a_batch_of_large_sets_stays_far_below_what_a_broker_takes() -> None:
    """Many members and a long name of the stream: cut by bytes, not by decisions."""
    members = tuple(item("image", 0, n, stream="s" * 200) for n in range(50))
    outbox = _outbox(*[SetDecision("s" * 200, "tumbling", "complete", "complete", 0, members) for _ in range(100)])
    sizes = []
    while outbox:
        sizes.append(len(msgspec.msgpack.encode(outbox.take_batch())))
    assert max(sizes) < 512 * 1024
    assert len(sizes) < 10


def test_records_of_a_batch_are_on_their_way_but_not_an_open_shared_member() -> None:
    """A shared item frees no room until it is closed: counted as on its way it would stop all reading for good."""
    holds = Holds({"media.image": 0, "media.text": 0})
    pivot, shared = item("text", 0, 0), item("image", 0, 0)
    for one in (pivot, shared):
        holds.topics[one.topic].add(Record(0, one, None, 7, None))
    outbox = Outbox(holds)
    outbox.add(SetDecision("s", "nearest", "complete", "complete", 0, (shared, pivot), open_members=(0,)))
    outbox.take_batch()
    assert holds.on_its_way == (1, 7)
