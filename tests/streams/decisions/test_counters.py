"""streams/decisions/counters.py: what became of the records, counted where it happens.

That they add up at every moment, through every fault, is an invariant of the simulation (tests/support/invariants.py).
"""

from __future__ import annotations

from streams.decisions.counters import Counters
from streams.join.settings import JoinSettings
from tests.streams.decisions.test_reasons import HUNDRED, NO_TIMERS
from tests.support.driven import Driven, records_of
from tests.support.joining import states_of
from tests.support.worlds import media_of, record

IMAGE, TEXT, AUDIO = "media.image", "media.text", "media.audio"
ONE = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])


def tally_of(driven: Driven) -> Counters:
    """The owner's counts."""
    return driven.owner._counters


def test_each_outcome_has_its_count() -> None:
    """A complete set, a late record, one without key and one that is undecodable, and what still waits is held."""
    media = media_of(image=HUNDRED, text=HUNDRED, audio=HUNDRED[:99])
    media[IMAGE] += [record("s", "image", 100, 500), record("t", "image", 101, 1_000)]
    driven = Driven(NO_TIMERS).feed(media).settle()
    counters = tally_of(driven)
    assert counters.taken == {IMAGE: 102, TEXT: 100, AUDIO: 99}
    assert counters.let_go == {"fused": 297, "unfused": 1}
    assert driven.owner.in_flight.held.events == 3
    assert counters.sets == {"complete": 99}
    assert counters.unfused == {(IMAGE, "late"): 1}
    assert counters.decisions == {("set", "complete"): 99, ("unfused", "late"): 1}


def test_a_set_that_failed_counts_as_dead_letters() -> None:
    """One failed set, three dead letters with its reason; the decision to fail it is one of its own."""
    driven = Driven(NO_TIMERS)
    driven.has_model = False
    driven.feed(ONE).settle()
    driven.owner.on_failed(driven.models[0], "model_failed")
    driven.settle()
    counters = tally_of(driven)
    assert counters.sets == {"failed": 1}
    assert counters.dead_letters == {"model_failed": 3}
    assert counters.let_go == {"deadletter": 3}
    assert counters.decisions["failed", "model_failed"] == 1


def test_a_run_counts_for_each_of_its_records() -> None:
    """Thirty late records are one entry in the log and thirty in the counts."""
    driven = Driven(NO_TIMERS).feed(media_of(image=HUNDRED[50:], text=HUNDRED[50:], audio=HUNDRED[50:])).settle()
    late = [record("s", "image", 50 + n, 100 + n) for n in range(30)]
    driven.feed({IMAGE: [*media_of(image=HUNDRED[50:])[IMAGE], *late]}).settle()
    counters = tally_of(driven)
    assert counters.unfused == {(IMAGE, "late"): 30}
    assert counters.decisions["unfused", "late"] == 30
    assert counters.let_go["unfused"] == 30


def test_what_a_successor_finds_published_is_settled_and_the_rest_redone() -> None:
    """The set was on the broker and one offset committed: nothing is said of it again. Another was only decided."""
    first = Driven(NO_TIMERS).feed(ONE).settle()
    first.committed = {IMAGE: 1, TEXT: 0, AUDIO: 0}
    settled = first.successor().feed({TEXT: ONE[TEXT], AUDIO: ONE[AUDIO]}).settle()
    assert tally_of(settled).let_go == {"settled": 2}
    assert tally_of(settled).n_redone == 0
    first.committed = {IMAGE: 0, TEXT: 0, AUDIO: 0}
    redone = first.successor("c", generation=3).feed(ONE).settle()
    assert tally_of(redone).let_go == {"fused": 3}
    assert (tally_of(redone).n_redone, tally_of(first).n_redone) == (1, 0)
    assert tally_of(redone).decisions == {}


def test_a_lost_member_is_counted_where_its_place_was_held() -> None:
    """It was decided, then deleted: its set fails, the others are dead letters, the place is let go as lost."""
    first = Driven(NO_TIMERS)
    first.publishes = False
    first.feed(ONE).settle()
    second = first.successor().feed({IMAGE: [None], TEXT: ONE[TEXT], AUDIO: ONE[AUDIO]}).settle()
    assert second.committed == {IMAGE: 1, TEXT: 1, AUDIO: 1}
    assert tally_of(second).let_go == {"deadletter": 2, "lost": 1}
    assert tally_of(second).taken == {IMAGE: 1, TEXT: 1, AUDIO: 1}


def test_the_end_of_an_assignment_hands_back_what_is_held() -> None:
    """So that counts add up without the owner."""
    driven = Driven(NO_TIMERS).feed(media_of(image=[("s", 1_000), ("s", 2_000)])).settle()
    driven.owner.end()
    assert tally_of(driven).let_go == {"handed_back": 2}
    assert driven.owner.in_flight.held == (0, 0)


def test_claims_void_batches_and_snapshots_are_counted() -> None:
    """Of a worker whose claim is lost while a batch of its is under way, and of its successor."""
    first = Driven(NO_TIMERS)
    first.reads_log = False
    first.feed(ONE).settle()
    second = first.successor()
    second.log.append(first.log[1])  # a send that was repeated lands behind the claim
    second.settle()
    assert tally_of(second).n_void_batches == 1
    first.owner.on_log(records_of(first.log), first.now_ms)
    assert (tally_of(first).n_claims, tally_of(first).n_lost_claims) == (1, 1)
    second.snapshot()
    assert (tally_of(second).n_claims, tally_of(second).n_snapshots) == (2, 1)


def test_a_set_is_waited_for_from_its_first_record_on() -> None:
    """Image at 0, the others 300 ms later: one wait of 300 ms."""
    driven = Driven(JoinSettings(tolerance_ms=45)).feed({IMAGE: ONE[IMAGE]}).settle()
    driven.now_ms += 300
    driven.feed({TEXT: ONE[TEXT], AUDIO: ONE[AUDIO]}).settle()
    waits = tally_of(driven).waits_ms
    assert (waits.n, waits.total) == (1, 300)


def test_suspect_pairs_outlive_the_join_that_counted_them() -> None:
    """A lost claim begins a new join; the count goes on."""
    settings = JoinSettings(tolerance_ms=100, lanes=("image", "text"), max_wait_ms=10**8)
    images = [("s", 0 + 100 * n) for n in range(40) if n % 10 != 1]
    texts = [("s", 0 + 100 * n) for n in range(40)]
    driven = Driven(settings).feed(media_of(image=images, text=texts)).settle()
    assert driven.owner.join is not None
    n_live = driven.owner.join.n_suspect_pairs
    assert n_live > 0
    driven.owner.end()
    assert (driven.owner.join, tally_of(driven).n_suspect_pairs) == (None, n_live)


def test_what_is_forgotten_because_it_is_too_much_is_counted() -> None:
    """By the join alone: what is kept for a successor forgets the same at the same place."""
    settings = JoinSettings(lanes=("text",), max_streams=2, max_remembered_ids=4)
    texts = [record(f"s{n}", "text", n, 1_000) for n in range(5)]
    texts += [record("s4", "text", n, 1_000, id_hash=n) for n in range(5, 12)]
    driven = Driven(settings).feed({TEXT: texts}).settle()
    assert tally_of(driven).forgotten == {"lanes": 3, "ids": 4}
    settled = driven.owner._checkpoint.clocks
    assert len(settled) == 2
    assert states_of(settled) == states_of(driven.snapshot().successor().settle().owner._checkpoint.clocks)
