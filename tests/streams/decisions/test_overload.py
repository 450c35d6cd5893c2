"""Minutes of three times what the model can do, in simulated time: what is held, what is torn, what it costs later.

sets/s   10 |--|                            |-----------------------------|
         60    |============================|                                      the model does 20
             1 min        10 min              until the backlog is gone, and on
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random

import pytest

from streams.decisions.records import Record
from streams.join.items import Item
from streams.join.settings import JoinSettings
from syncline.wire.contract import MODALITIES
from tests.support.broken_rules import broken
from tests.support.effort import IS_FULL
from tests.support.paced import Paced
from tests.support.worlds import Media, stable_hash

ROUND_MS = 100
FUSES = 2
"""Sets in a round: the model does 20 a second."""
FETCH = 20
CALM_PER_S, LOAD_PER_S = 10, 60
BEFORE_S, LOAD_S = 60, 600 if IS_FULL else 200
N_STREAMS = 8
JITTER_MS = 40
RECORD_BYTES = {"image": 30_000, "text": 200, "audio": 10_000}


@dataclass
class Load:
    """What producers send: per topic its records, and when the broker has each."""

    media: Media
    appended_ms: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def available(self, topic: str, now_ms: int) -> int:
        """The high watermark."""
        return bisect_right(self.appended_ms[topic], now_ms)


def produce(after_s: int, seed: int = 1) -> Load:
    """Calm, `LOAD_S` of overload, and `after_s` of calm again; each lane's record up to 40 ms after the moment."""
    times_ms = [n * 1_000 // CALM_PER_S for n in range(BEFORE_S * CALM_PER_S)]
    times_ms += [BEFORE_S * 1_000 + n * 1_000 // LOAD_PER_S for n in range(LOAD_S * LOAD_PER_S)]
    start_ms = (BEFORE_S + LOAD_S) * 1_000
    times_ms += [start_ms + n * 1_000 // CALM_PER_S for n in range(after_s * CALM_PER_S)]
    random, load = Random(seed), Load({})
    for modality in MODALITIES:
        topic = f"media.{modality}"
        sent = sorted((time_ms + random.randrange(JITTER_MS), time_ms, n) for n, time_ms in enumerate(times_ms))
        load.media[topic] = [
            _record(modality, offset, n, time_ms, at_ms) for offset, (at_ms, time_ms, n) in enumerate(sent)
        ]
        load.appended_ms[topic] = [at_ms for at_ms, _, _ in sent]
    return load


def _record(modality: str, offset: int, n: int, time_ms: int, appended_ms: int) -> Record:
    # A stream's moments are 133 ms apart under load, and its records at most 40: none is out of order in its lane.
    stream, topic = f"s{n % N_STREAMS}", f"media.{modality}"
    item = Item(stream, modality, topic, offset, time_ms, time_ms, stable_hash(modality, n), appended_ms)
    return Record(offset, item, None, RECORD_BYTES[modality], None)


def overload(settings: JoinSettings, after_s: int) -> Paced:
    """One partition number with a model of 20 sets a second under that load, to the end."""
    load = produce(after_s)
    paced = Paced(settings, load.media, fetch=FETCH, fuses=FUSES, round_ms=ROUND_MS, available=load.available)
    return paced.run((BEFORE_S + LOAD_S + after_s) * 1_000 // ROUND_MS * 4)


BACKLOG = LOAD_S * (LOAD_PER_S - 1_000 // ROUND_MS * FUSES)
"""Sets that the overload leaves; in calm they go at 10 a second."""
DRAIN_S = BACKLOG // (1_000 // ROUND_MS * FUSES - CALM_PER_S)
AFTER_S = DRAIN_S + 120
LIMITS = {
    "events": JoinSettings(max_held_events=300),
    "bytes": JoinSettings(max_held_events=10_000, max_held_bytes=2**22),
}


@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS)
def test_minutes_of_overload_tear_nothing_and_leave_nothing_behind(limit: str) -> None:
    """What is held stays near the soft limit, every moment is complete, and latency comes back to what it was."""
    settings = LIMITS[limit]
    paced = overload(settings, AFTER_S)
    n_moments = CALM_PER_S * (BEFORE_S + AFTER_S) + LOAD_PER_S * LOAD_S
    assert paced.reasons == {"complete": n_moments}
    assert set(paced.n_members.values()) == {1}
    # Over soft, a lane that undecided sets wait for is still read: a few records more, far below the hard limit.
    assert paced.max_held <= 1.5 * settings.max_held_events
    assert paced.max_held_bytes <= 1.5 * settings.max_held_bytes
    before = worst_ms(paced, 0, BEFORE_S)
    during = worst_ms(paced, BEFORE_S, BEFORE_S + LOAD_S)
    after = worst_ms(paced, BEFORE_S + LOAD_S + DRAIN_S + 60, BEFORE_S + LOAD_S + AFTER_S)
    assert during > 1_000 * BACKLOG // (1_000 // ROUND_MS * FUSES) * 0.9, "there was no overload"
    assert after <= before + ROUND_MS


def test_without_the_rule_for_what_frees_itself_overload_tears_sets() -> None:
    """The mutation that the test above must see: reading on up to the hard limit, pressure tears what is incomplete."""
    load = produce(0)
    paced = Paced(LIMITS["events"], load.media, fetch=FETCH, fuses=FUSES, round_ms=ROUND_MS, available=load.available)
    with broken("spare_what_frees_itself"):
        paced.run(2_000)
    assert paced.reasons["pressure"] > 0
    assert paced.max_held > 2 * LIMITS["events"].max_held_events


def worst_ms(paced: Paced, from_s: int, to_s: int) -> int:
    """The longest that a set took whose last record came in that time."""
    return max(took_ms for at_ms, took_ms in paced.latencies if from_s * 1_000 <= at_ms < to_s * 1_000)
