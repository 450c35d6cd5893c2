"""The laws of the join (docs/design.md) over random logs, with timers and pressure. Law 1 is in test_oracle.py.

Laws 3 and 9 speak of crashes: the simulator of the decisions has them.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.join.items import ClosedDecision, Item, JoinDecision, SetDecision, UnfusedDecision
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from tests.support.joining import feed, high_waters, pass_time, run, run_out, sets_of, singles_of, states_of
from tests.support.logs import T0_MS, LogRecord, Logs, interleave, join_settings, logs
from tests.support.oracle import Key, key

WAIT_MS = 100


def run_with_time(records: list[LogRecord], join: PartitionJoin, random: Random) -> list[JoinDecision]:
    """Feed records with random pauses, timers that fire and pressure now and then, to the end."""
    decisions: list[JoinDecision] = []
    now_ms, joined = 0, dict[str, int]()
    for record in records:
        now_ms += random.choice((0, 0, 1, 40, 150))
        feed(join, record, now_ms)
        joined[record.item.topic] = record.item.offset + 1
        if random.random() < 0.5:
            decisions += pass_time(join, now_ms, joined)
        if random.random() < 0.1:
            decisions += join.press()
    return decisions + run_out(join, now_ms, joined)


def members_of(decision: JoinDecision) -> list[Key]:
    """The records that the decision ends: all of it but shared members, which a later one closes."""
    if isinstance(decision, SetDecision):
        return [key(member) for n, member in enumerate(decision.members) if n not in decision.open_members]
    return [key(decision.item)]


OUTCOMES = {"complete", "partial"}
REASONS = {"complete", "watermark", "timeout", "pressure", "late", "unmatched", "duplicate", "unexpected"}


@settings(deadline=None, max_examples=300)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_every_record_has_exactly_one_outcome(data: st.DataObject, seed: int) -> None:
    """Law 2: in one set, or unfused with one reason, or closed; those that were only observed have none here."""
    join_with = data.draw(join_settings())
    records = interleave(data.draw(logs(join_with)), Random(seed))
    decisions = run_with_time(records, PartitionJoin(join_with), Random(seed))
    outcomes = Counter(record for decision in decisions for record in members_of(decision))
    assert outcomes == Counter(key(record.item) for record in records if record.decodable)


@settings(deadline=None, max_examples=100)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_decisions_add_up_at_every_moment(data: st.DataObject, seed: int) -> None:
    """Law 2: what went in is what was decided and what is undecided, after every record."""
    join_with = data.draw(join_settings())
    records = interleave(data.draw(logs(join_with)), Random(seed))
    join, n_in, n_out = PartitionJoin(join_with), 0, 0
    for n, record in enumerate(records):
        feed(join, record, n)
        n_in += record.decodable
        decisions = join.decide(n)
        n_out += sum(len(members_of(decision)) for decision in decisions)
        assert n_in == n_out + join.n_undecided
        assert {decision.outcome for decision in decisions if isinstance(decision, SetDecision)} <= OUTCOMES
        assert {decision.reason for decision in decisions if not isinstance(decision, ClosedDecision)} <= REASONS


@settings(deadline=None, max_examples=100)
@given(data=st.data(), shift_ms=st.integers(1, 10_000), seed=st.integers(0, 2**16))
def test_no_edge_of_a_window_parts_two_items(data: st.DataObject, shift_ms: int, seed: int) -> None:
    """Law 4: when all times shift, `earliest` and `nearest` decide the same, so there is no edge anywhere."""
    join_with = data.draw(join_settings(("earliest", "nearest")))
    topics = data.draw(logs(join_with))
    moved = {topic: [_shift(record, shift_ms) for record in records] for topic, records in topics.items()}
    _, decisions = run(interleave(topics, Random(seed)), join_with)
    _, shifted = run(interleave(moved, Random(seed)), join_with)
    back = {
        stream: [found._replace(start_ms=found.start_ms - shift_ms) for found in sets]
        for stream, sets in sets_of(shifted).items()
    }
    assert back == sets_of(decisions)
    assert singles_of(shifted) == singles_of(decisions)


def _shift(record: LogRecord, shift_ms: int) -> LogRecord:
    old = record.item
    times = (old.time_ms + shift_ms, old.end_ms + shift_ms)
    return LogRecord(Item(old.stream, old.lane, old.topic, old.offset, *times, old.id_hash, old.append_ms), record[1])


@settings(deadline=None, max_examples=100)
@given(gap_ms=st.integers(0, 10), start_ms=st.integers(0, 200), strategy=st.sampled_from(("earliest", "nearest")))
def test_two_items_within_the_tolerance_are_one_set(gap_ms: int, start_ms: int, strategy: str) -> None:
    """Law 4: wherever they lie in time, and whichever lane is first."""
    join_with = JoinSettings(strategy=strategy, lanes=("image", "text"), tolerance_ms=10)  # type: ignore[arg-type]
    for first, second in (("image", "text"), ("text", "image")):
        items = [
            Item("s", lane, f"media.{lane}", n, time_ms, time_ms, n, 0)
            for lane, times in ((first, (start_ms, start_ms + 500)), (second, (start_ms + gap_ms, start_ms + 500)))
            for n, time_ms in enumerate(times)
        ]
        _, decisions = run([LogRecord(item) for item in items], join_with)
        assert len(sets_of(decisions)["s"][0].members) == 2


@settings(deadline=None, max_examples=100)
@given(pauses=st.lists(st.integers(1, 60), min_size=1, max_size=12), strategy=st.sampled_from(("earliest", "nearest")))
def test_a_silent_lane_delays_by_max_wait_and_no_more(pauses: list[int], strategy: str) -> None:
    """Law 5: with its partition caught up, a set waits for the silent lane exactly `max_wait_ms`."""
    join = PartitionJoin(
        JoinSettings(strategy=strategy, max_wait_ms=WAIT_MS, tolerance_ms=2, pivot="image")  # type: ignore[arg-type]
    )
    arrived_ms, decided_ms, now_ms, joined = dict[int, int](), dict[int, int](), 0, dict[str, int]()
    arrivals = {sum(pauses[: n + 1]): n for n in range(len(pauses))}
    for now_ms in range(max(arrivals) + 2 * WAIT_MS):
        if now_ms in arrivals:
            n = arrivals[now_ms]
            arrived_ms[T0_MS + 10 * n] = now_ms
            for lane in ("image", "text"):
                time_ms = T0_MS + 10 * n
                record = LogRecord(Item("s", lane, f"media.{lane}", n, time_ms, time_ms, n, time_ms))
                feed(join, record, now_ms)
                joined[f"media.{lane}"] = n + 1
        for decision in pass_time(join, now_ms, joined):
            assert isinstance(decision, SetDecision)
            decided_ms[decision.start_ms] = now_ms
    assert decided_ms == {start: arrived + WAIT_MS for start, arrived in arrived_ms.items()}


@settings(deadline=None, max_examples=100)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_a_stream_affects_itself_alone(data: st.DataObject, seed: int) -> None:
    """Law 6: leaving out a stream, whatever it holds, changes nothing for the others, timers included.

    What a partition remembers is shared by its streams, so no such limit is reached here.
    """
    wide = {"max_streams": JoinSettings().max_streams, "max_remembered_ids": JoinSettings().max_remembered_ids}
    join_with = msgspec.structs.replace(data.draw(join_settings()), **wide)
    topics = data.draw(logs(join_with))
    records = interleave(topics, Random(seed))
    pauses = [Random(seed + n).choice((0, 1, 40, 150)) for n in range(len(records))]
    others = {"b", "c"}

    def outcome(skip: bool) -> tuple[object, object]:
        join, now_ms, decisions = PartitionJoin(join_with), 0, list[JoinDecision]()
        joined = dict[str, int]()
        for record, pause_ms in zip(records, pauses, strict=True):
            now_ms += pause_ms
            if record.item.stream in others or not skip:
                feed(join, record, now_ms)
            joined[record.item.topic] = record.item.offset + 1
            join.joined(record.item.topic, record.item.offset + 1, now_ms)
            decisions += pass_time(join, now_ms, joined)
        decisions += run_out(join, now_ms, joined)
        mine = [decision for decision in decisions if _stream(decision) in others]
        return sets_of(mine), singles_of(mine)

    assert outcome(skip=True) == outcome(skip=False)


def _stream(decision: JoinDecision) -> str:
    return decision.stream if isinstance(decision, SetDecision) else decision.item.stream


@settings(deadline=None, max_examples=100)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_nothing_stays_once_all_is_decided(data: st.DataObject, seed: int) -> None:
    """Law 7: no stream, item or timer stays; a lane keeps ids at or above its watermark only, and only for a while."""
    join_with = data.draw(join_settings())
    topics: Logs = data.draw(logs(join_with))
    records = interleave(topics, Random(seed))
    join = PartitionJoin(join_with)
    run_with_time(records, join, Random(seed))
    assert (join.n_undecided, len(join._streams)) == (0, 0)
    for state in states_of(join.clocks):
        watermark_ms = state.max_time_ms - join_with.out_of_order_ms.get(state.lane, 0)
        assert all(time_ms >= watermark_ms for _, time_ms in state.recent)
    later_ms = T0_MS + join_with.stream_ttl_ms + 10 * len(records) + 1
    for topic, high_water in high_waters(records).items():
        lane = next(lane for lane in join_with.lanes_of("z") if f"media.{lane.modality}" == topic)
        join.add(Item("z", lane.name, topic, high_water, later_ms, later_ms, 0, later_ms), 0)
    assert {state.stream for state in states_of(join.clocks)} <= {"z"}
    assert set(join.bounds) <= {"z"}


@settings(deadline=None, max_examples=300)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_sets_of_a_stream_leave_in_order_of_their_start(data: st.DataObject, seed: int) -> None:
    """Law 8: by watermark, timer or pressure, the next set of a stream never starts before the last."""
    join_with = data.draw(join_settings())
    records = interleave(data.draw(logs(join_with)), Random(seed))
    decisions = run_with_time(records, PartitionJoin(join_with), Random(seed))
    for sets in sets_of(decisions).values():
        starts = [found.start_ms for found in sets]
        assert starts == sorted(starts)


@settings(deadline=None, max_examples=100)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_items_below_a_forced_decision_are_late(data: st.DataObject, seed: int) -> None:
    """A set that was decided by force tells its bound, and nothing below it is in a set that is decided later."""
    join_with = data.draw(join_settings(("earliest", "tumbling")))
    records = interleave(data.draw(logs(join_with)), Random(seed))
    join = PartitionJoin(join_with)
    bounds: dict[str, int] = {}
    for decision in run_with_time(records, join, Random(seed)):
        if isinstance(decision, SetDecision):
            lowest_ms = min(member.time_ms for member in decision.members)
            assert lowest_ms >= bounds.get(decision.stream, 0)
        if not isinstance(decision, ClosedDecision) and decision.bound_ms:
            bounds[_stream(decision)] = decision.bound_ms
        if isinstance(decision, UnfusedDecision) and decision.reason == "late":
            assert decision.late_by_ms > 0
    assert join.bounds == bounds
