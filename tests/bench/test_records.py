"""The benchmark's backlog and its counting: a comparison is worth what these two are."""

from __future__ import annotations

from collections import Counter

from bench.joiners import JOINERS, KafkaStreams
from bench.measure import count_results
from bench.records import PERIOD_MS, Backlog
from syncline.wire.contract import MODALITIES


def test_the_backlog_is_what_it_says() -> None:
    """Each moment has three events within the jitter, streams in turn, moments of a stream a period apart."""
    backlog = Backlog(n_moments=160, n_streams=16, jitter_ms=40)
    events = list(backlog.events(1_000))
    assert Counter(moment for moment, _ in events) == dict.fromkeys(range(160), len(MODALITIES))
    for moment, event in events:
        moment_ms = 1_000 + moment // 16 * PERIOD_MS
        assert moment_ms <= event.time_ms <= moment_ms + 40
        assert (event.stream, event.id) == (f"bench-{moment % 16:02d}", str(moment))


def test_the_same_seed_gives_the_same_backlog() -> None:
    """Two runs compare, and so do two joiners."""
    assert list(Backlog(n_moments=50).events(0)) == list(Backlog(n_moments=50).events(0))


def test_dropped_events_are_missing_and_the_rest_is_the_same() -> None:
    """About one in ten is gone; no other event changes by that."""
    whole = list(Backlog(n_moments=1_000).events(0))
    rest = list(Backlog(n_moments=1_000, share_dropped=0.1).events(0))
    assert {(moment, event.modality) for moment, event in rest} < {(moment, event.modality) for moment, event in whole}
    assert 2_600 < len(rest) < 2_800
    assert all(pair in whole for pair in rest[:300])


def test_a_value_has_its_size_and_its_moment() -> None:
    """A joiner's result names its moments by the first digits of the values."""
    value = Backlog(n_bytes=1_000).value(1234)
    assert len(value) == 1_000
    assert value.startswith(b"00001234")


def test_results_are_counted_by_what_they_hold() -> None:
    """Found once, found twice, of several moments, lacking an event, of a moment that was not complete."""
    results = [(1, 1, 1), (2, 2, 2), (2, 2, 2), (3, 4, 3), (5, 5), (6, 6, 6)]
    assert count_results(results, complete={1, 2, 3, 4}) == {
        "n_found": 2,
        "n_partial": 1,
        "n_mixed": 1,
        "n_repeated": 2,
    }


def test_numbers_in_a_row_are_a_results_moments() -> None:
    """What the Java and the Quix programs write."""
    assert KafkaStreams().moments(b"000000070000000700000008") == (7, 7, 8)


def test_joiners_write_to_topics_of_their_own() -> None:
    """One's results are never counted as another's."""
    outputs = {joiner().output("b.") for joiner in JOINERS.values()}
    assert len(outputs) == len(JOINERS) == 3
