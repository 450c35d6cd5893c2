"""How decisions are cut into batches."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from streams.decisions import proposer as runs
from streams.decisions.entries import Batch, Key, encode_entry
from streams.decisions.in_flight import InFlight
from streams.decisions.proposer import BATCH_BYTES, BatchBuilder
from streams.decisions.records import Record
from streams.join.items import DeadLetterDecision, Decision, FailedDecision, Item, SetDecision, UnfusedDecision
from streams.join.settings import MAX_LANES, MAX_SET_BYTES, item_bytes
from syncline.kafka.topics import MAX_ENTRY_BYTES
from tests.support.joining import item

ENTRY_OVERHEAD = 40


def _outbox(*decisions: Decision, tied: Collection[Key] = ()) -> BatchBuilder:
    outbox = BatchBuilder(InFlight({"media.image": 0, "media.text": 0, "media.audio": 0}))
    outbox.start(set(tied))
    outbox.extend(decisions)
    return outbox


def test_a_batch_takes_what_fits_and_leaves_the_rest_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are in decisions."""
    monkeypatch.setattr("streams.decisions.proposer.BATCH_DECISIONS", 2)
    decisions = [UnfusedDecision(item("image", 0, n), "duplicate") for n in range(5)]
    outbox = _outbox(*decisions)
    assert [outbox.take_batch() for _ in range(3)] == [decisions[:2], decisions[2:4], decisions[4:]]
    assert not outbox


def test_the_members_of_a_given_up_set_are_never_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a successor, who knows the first half only, would fuse the other half with somebody else."""
    monkeypatch.setattr("streams.decisions.proposer.BATCH_DECISIONS", 2)
    alone = UnfusedDecision(item("image", 0, 0), "duplicate")
    given_up = [UnfusedDecision(item(lane, 100, 1), "unmatched") for lane in ("image", "text", "audio")]
    outbox = _outbox(alone, *given_up, alone, tied={("media.image", 1), ("media.text", 1)})
    assert [outbox.take_batch(), outbox.take_batch()] == [[alone, *given_up], [alone]]


def test_unmatched_neighbours_that_are_no_set_are_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One pivot after a long gap leaves thousands of them, more than an entry of the log may hold."""
    monkeypatch.setattr("streams.decisions.proposer.BATCH_DECISIONS", 2)
    outbox = _outbox(*[UnfusedDecision(item("image", n, n), "unmatched") for n in range(5)])
    assert [len(outbox.take_batch()) for _ in range(3)] == [2, 2, 1]


NAMES = {"ascii": "s" * 256, "Chinese": "\u6f22" * 256, "emoji": "\U0001f600" * 256, "short": "s"}


def _worst(kind: str, stream: str, n: int) -> list[Decision]:
    """As many decisions of this kind as the join may hold at a high limit, with the largest numbers."""
    big = 2**62
    one = Item(stream, "l" * 64, "media.image", big, big, big, 2**64 - 1, big)
    if kind == "sets":
        return [SetDecision(stream, "nearest", "partial", "pressure", big, (one,) * 3, ("l" * 64,), big, (0, 1))] * n
    if kind == "unmatched":
        return [UnfusedDecision(one, "unmatched", big, big)] * n
    if kind == "dead letters":
        return [DeadLetterDecision("media.image", big, "image_undecodable", one)] * n
    return [FailedDecision((("media.image", big),) * 3, "model_failed", (("media.image", big),) * 3)] * n


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["sets", "unmatched", "dead letters", "failed"])
def test_no_batch_is_larger_than_its_limit_whatever_the_names(kind: str, name: str) -> None:
    """Sizes are those of the encoding: a character takes up to four bytes."""
    outbox = _outbox(*_worst(kind, NAMES[name], 3_000))
    sizes: list[int] = []
    while outbox:
        sizes.append(len(encode_entry(Batch(2**62, 2**62, outbox.take_batch()))))
    assert max(sizes) <= BATCH_BYTES + ENTRY_OVERHEAD


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_window_that_is_given_up_fits_one_entry(name: str) -> None:
    """With the shortest and the longest names: its members stay together, and the topic takes them."""
    stream, lane, big = NAMES[name], "l", 2**62
    n_members = MAX_SET_BYTES // item_bytes(stream, lane)
    members = [Item(stream, lane, "media.image", big - n, big, big, 2**64 - 1, big) for n in range(n_members)]
    other = UnfusedDecision(item("image", 0, 0), "duplicate")
    given_up = [UnfusedDecision(one, "unmatched", 0, big) for one in members]
    outbox = _outbox(other, *given_up, other, tied={(one.topic, one.offset) for one in members[:-1]})
    batches = [outbox.take_batch() for _ in range(3)]
    assert next(batch for batch in batches if len(batch) >= n_members)[-n_members:] == given_up
    assert max(len(encode_entry(Batch(big, big, batch))) for batch in batches) <= MAX_ENTRY_BYTES


def test_the_largest_set_fits_one_entry_and_so_does_its_failure() -> None:
    """Of a window, and of as many lanes as a stream may have, each with the longest names."""
    big = 2**62
    for stream, lane in (("s", "l"), ("\U0001f600" * 256, "l" * 64)):
        n_members = max(MAX_LANES, MAX_SET_BYTES // item_bytes(stream, lane))
        one = Item(stream, lane, "media.image", big, big, big, 2**64 - 1, big)
        lanes, keys = (lane,) * MAX_LANES, (("media.image", big),) * n_members
        found = SetDecision(stream, "tumbling", "partial", "pressure", big, (one,) * n_members, lanes, big)
        failed = FailedDecision(keys, "model_failed", keys)
        assert max(len(encode_entry(Batch(big, big, [decision]))) for decision in (found, failed)) <= MAX_ENTRY_BYTES


def test_a_backlog_is_cut_into_batches_in_time_that_grows_with_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each decision is looked at a few times, however many wait behind it."""
    looked, run_key = 0, vars(runs)["_run_key"]

    def counting(decision: Decision) -> object:
        nonlocal looked
        looked += 1
        return run_key(decision)

    monkeypatch.setattr(runs, "_run_key", counting)
    decisions = [UnfusedDecision(item("image", 0, 2 * n), "late") for n in range(20_000)]
    outbox = _outbox(*decisions)
    while outbox:
        outbox.take_batch()
    assert looked <= 4 * len(decisions)


def test_records_of_a_batch_are_on_their_way_but_not_an_open_shared_member() -> None:
    """A shared item frees no room until it is closed: counted as on its way it would stop all reading for good."""
    holds = InFlight({"media.image": 0, "media.text": 0})
    pivot, shared = item("text", 0, 0), item("image", 0, 0)
    for one in (pivot, shared):
        holds.topics[one.topic].add(Record(0, one, None, 7, None))
    outbox = BatchBuilder(holds)
    outbox.add(SetDecision("s", "nearest", "complete", "complete", 0, (shared, pivot), open_members=(0,)))
    outbox.take_batch()
    assert holds.on_its_way == (1, 7)
