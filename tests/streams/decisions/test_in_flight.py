"""What is held and what is kept: the memory of a partition number beside a record that cannot be resolved."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from streams.decisions.checkpoint_state import CheckpointState
from streams.decisions.in_flight import KEPT_PER_EVENT, InFlight
from streams.decisions.records import InFlightRecord, Record
from streams.decisions.resolved import Kept
from streams.join.clocks import Clocks, LaneState
from streams.join.items import Item
from streams.join.settings import JoinSettings
from tests.support.joining import states_of

IMAGE = "media.image"


def _item(offset: int, time_ms: int, stream: str = "s", append_ms: int | None = None, id_hash: int = 0) -> Item:
    appended_ms = time_ms if append_ms is None else append_ms
    return Item(stream, "image", IMAGE, offset, time_ms, time_ms, id_hash or offset, appended_ms)


def _resolve(holds: InFlight, held: InFlightRecord, log_offset: int = 0) -> None:
    held.log_offset = log_offset
    holds.resolve(held)


def _behind_an_open_one(items: list[Item]) -> InFlight:
    holds = InFlight({IMAGE: 0})
    holds.topics[IMAGE].add(Record(0, None, None, 10, None))
    for item in items:
        _resolve(holds, holds.topics[IMAGE].add(Record(item.offset, item, None, 10, None)), item.offset)
    return holds


def test_resolved_records_behind_an_open_one_are_not_kept_one_by_one() -> None:
    """A hundred thousand of sixteen lanes: sixteen items and one run of offsets."""
    holds = _behind_an_open_one([_item(n, 100 * n, f"s{n % 16}") for n in range(1, 100_001)])
    assert holds.held == (1, 10)
    assert holds.topics[IMAGE].n_kept == 17
    assert [(run.first_offset, run.last_offset) for run in holds.resolved()] == [(1, 100_000)]
    assert min(offset for offset in holds.log_offsets() if offset >= 0) == 1


@pytest.mark.parametrize("kind", ["time stands still", "a stream each", "gaps"])
def test_what_cannot_be_let_go_counts_against_the_limits(kind: str) -> None:
    """Ids of one moment, clocks of many streams, runs with gaps between: the load grows with what is kept."""
    items = [_item(n, 1_000, append_ms=n) for n in range(1, 1_001)]
    if kind == "a stream each":
        items = [_item(n, 1_000 + n, f"s{n}") for n in range(1, 1_001)]
    if kind == "gaps":
        items = [_item(2 * n, 1_000 + n) for n in range(1, 1_001)]
    load = _behind_an_open_one(items).load
    assert load.events >= 1 + 1_000 // KEPT_PER_EVENT
    assert load.n_bytes > 1_000 * 100


def test_nothing_is_kept_once_the_open_one_is_resolved() -> None:
    """The prefix passes all of it at once."""
    holds = _behind_an_open_one([_item(n, n, f"s{n}") for n in range(1, 100)])
    first = holds.get(IMAGE, 0)
    assert first is not None
    _resolve(holds, first)
    assert len(holds.topics[IMAGE].advance()) == 99
    assert holds.topics[IMAGE].acknowledged == 100
    assert (holds.load, list(holds.resolved())) == ((0, 0), [])
    assert holds.topics[IMAGE].n_kept == 0


def test_the_place_of_a_lost_record_parts_what_was_resolved_around_it() -> None:
    """Its place is open: the prefix must come to a halt before it, with the clocks of what lies below."""
    holds = _behind_an_open_one([_item(n, 1_000 * n, f"s{n}") for n in (1, 2, 4, 5)])
    hold = holds.topics[IMAGE]
    place, first = hold.add_lost(3), holds.get(IMAGE, 0)
    assert first is not None
    _resolve(holds, first)
    assert [item.offset for item in hold.advance()] == [1, 2]
    assert (hold.acknowledged, hold.is_resolved(4), hold.is_resolved(3)) == (3, True, False)
    _resolve(holds, place)
    assert [item.offset for item in hold.advance()] == [4, 5]


def _random_items(random: Random) -> list[Item]:
    """Few lanes and times: equal ones, late ones, copies of ids, and silences longer than a lane is remembered."""
    items: list[Item] = []
    time_ms = append_ms = 0
    for offset in range(60):
        time_ms += random.choice((0, 0, 3, 10, 10, 40))
        append_ms += random.choice((0, 1, 1, 5, 40))
        when_ms = time_ms - random.choice((0, 0, 0, 5, 20))
        items.append(_item(offset, when_ms, random.choice("st"), append_ms, random.randrange(1, 9)))
    return items


def _states(clocks: Clocks) -> list[LaneState]:
    return sorted(states_of(clocks), key=lambda state: state.stream)


@pytest.mark.parametrize("disorder_ms", [0, 10])
@pytest.mark.parametrize("seed", range(150))
def test_the_clocks_at_the_acknowledged_offsets_are_those_of_every_single_record(seed: int, disorder_ms: int) -> None:
    """In whatever order they are resolved, whether or not they move their lane: exactly what one by one gives."""
    random = Random(seed)
    settings = JoinSettings(out_of_order_ms={"image": disorder_ms}, stream_ttl_ms=random.choice((30, 600_000)))
    settled, expected = CheckpointState(settings), Clocks(settings)
    holds, items = InFlight({IMAGE: 0}, disorder_ms=settings.out_of_order_ms), _random_items(random)
    hold, n_passed = holds.topics[IMAGE], 0
    open_now: list[InFlightRecord] = []
    moving = {item.offset for item in items if random.random() < 0.9}
    pending = iter(items)
    for _ in itertools.count():
        item = next(pending, None) if random.random() < 0.6 or not open_now else None
        if item is not None:
            held = hold.add(Record(item.offset, item, None, 1, None))
            held.moves = item.offset in moving
            open_now.append(held)
        elif open_now:
            place = random.randrange(len(open_now)) if random.random() < 0.8 else 0
            _resolve(holds, open_now.pop(place), random.randrange(100))
        else:
            break
        if random.random() < 0.3:
            settled.advance(holds)
            for one in items[n_passed : hold.acknowledged]:
                if one.offset in moving:
                    expected.move(one)
            n_passed = hold.acknowledged
            assert _states(settled.clocks) == _states(expected)
        assert hold.n_kept_items == sum(len(list(one.kept)) for one in hold if one.kept is not None)
        assert [one.offset for one in hold] == sorted(one.offset for one in open_now)


@pytest.mark.parametrize("disorder_ms", [0, 10])
def test_what_is_let_go_changes_no_clock_whatever_it_was_before(disorder_ms: int) -> None:
    """Twenty thousand clocks, some known and some not, and what a few items of one lane make of each."""
    settings = JoinSettings(out_of_order_ms={"image": disorder_ms}, stream_ttl_ms=20)
    random, n_let_go = Random(disorder_ms), 0
    for _ in range(20_000):
        append_ms = 100
        items: list[Item] = []
        for offset in range(random.randint(2, 6)):
            append_ms += random.choice((-15, 0, 0, 5, 12, 20))
            items.append(_item(offset, 100 + random.randrange(0, 60, 4), "s", append_ms, random.randrange(1, 4)))
        before = random.randrange(len(items) - 1)
        one_by_one, at_once, kept = Clocks(settings), Clocks(settings), Kept(settings.out_of_order_ms)
        for item in items[:before]:
            one_by_one.move(item)
            at_once.move(item)
        for item in items[before:]:
            one_by_one.move(item)
            kept.add(item.offset, 0, item)
        for item in kept:
            at_once.move(item)
        n_let_go += len(items) - before - kept.n_items
        assert states_of(one_by_one) == states_of(at_once), items
    assert n_let_go > 5_000


def test_the_place_of_a_lost_record_behind_all_others_leaves_nothing() -> None:
    """Nothing was resolved above it when it was put there, and nothing of it is left when the prefix has passed."""
    holds = _behind_an_open_one([_item(1, 1_000)])
    hold = holds.topics[IMAGE]
    hold.position = 3
    place, first = hold.add_lost(2), holds.get(IMAGE, 0)
    assert first is not None
    _resolve(holds, place)
    _resolve(holds, first)
    hold.add(Record(3, None, None, 10, None))
    assert [item.offset for item in hold.advance()] == [1]
    assert (hold.acknowledged, hold.n_kept) == (3, 0)
