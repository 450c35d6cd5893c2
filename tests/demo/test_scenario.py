"""Laws of the plan that the demo carries out."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from demo.scenario import JITTER_MS, NOTE_LANE, SAMPLES_DIR, STREAMS, TOLERANCE_MS, Scenario, load_samples, plan_demo
from syncline.errors import SettingsError


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return plan_demo(load_samples(), SAMPLES_DIR, seconds=20, rate=3.0)


def test_each_stream_has_about_sixty_moments_and_the_slow_one_ten(scenario: Scenario) -> None:
    """Twenty seconds at three moments a second, or one in two seconds."""
    moments = {record.moment for record in scenario.records if record.moment is not None}
    counts = Counter(stream for stream, _ in moments)
    assert set(counts) == set(STREAMS)
    assert 9 <= counts.pop("hall") <= 11
    assert all(55 <= count <= 61 for count in counts.values())


def test_lanes_of_a_moment_lie_within_the_jitter(scenario: Scenario) -> None:
    """What belongs together is at most the jitter apart, which is less than the tolerance."""
    times = defaultdict(list)
    for record in scenario.records:
        if record.moment is not None:
            times[record.moment].append(record.time_ms)
    assert max(max(found) - min(found) for found in times.values()) <= JITTER_MS < TOLERANCE_MS


def test_every_planned_fault_is_there_once(scenario: Scenario) -> None:
    """Late, duplicate, misrouted, three broken files and a bomb, each with its own reason."""
    planted = Counter(record.expected for record in scenario.records if record.expected != "fused")
    assert set(planted.values()) == {1}
    assert set(planted) == {
        "unfused:late",
        "unfused:duplicate",
        "deadletter:misrouted",
        "deadletter:image_undecodable",
        "deadletter:text_not_utf8",
        "deadletter:audio_header",
        "deadletter:image_too_many_pixels",
    }


def test_a_microphone_falls_silent(scenario: Scenario) -> None:
    """`garage` has no sound in its last third."""
    last = max(record.time_ms for record in scenario.records)
    sounds = [r.time_ms for r in scenario.records if r.stream == "garage" and r.modality == "audio"]
    assert max(sounds) < 0.67 * last


def test_notes_are_sent_out_of_order_within_what_the_workers_are_told(scenario: Scenario) -> None:
    """Some note is sent after a later one, by less than the lane's out_of_order_ms."""
    newest, furthest = 0, 0
    for record in scenario.records:
        if record.lane == NOTE_LANE:
            newest = max(newest, record.time_ms)
            furthest = max(furthest, newest - record.time_ms)
    assert 0 < furthest <= scenario.period_ms + 2 * JITTER_MS
    assert f"{NOTE_LANE} = {scenario.period_ms + 2 * JITTER_MS}" in scenario.worker_toml


def test_the_same_seed_gives_the_same_plan(scenario: Scenario) -> None:
    """A demo can be run again."""
    assert plan_demo(load_samples(), SAMPLES_DIR, seconds=20, rate=3.0) == scenario


def test_without_decoding_nothing_broken_is_sent() -> None:
    """The null model decodes nothing, so it cannot find a file broken."""
    plan = plan_demo(load_samples(), SAMPLES_DIR, seconds=8, rate=3.0, with_broken=False)
    assert not [record for record in plan.records if "broken" in record.id]


def test_a_folder_without_samples_is_named(tmp_path) -> None:
    """The error says which folder, and what it takes."""
    with pytest.raises(SettingsError, match=r"samples: got .* takes a folder with samples\.json"):
        load_samples(tmp_path)


def test_samples_are_small_and_of_all_formats() -> None:
    """At most 8 MB, three formats of pictures and three of sound."""
    samples = load_samples()
    named = {SAMPLES_DIR / name for sample in samples.samples for name in (sample.image, sample.audio)}
    assert {path.suffix for path in named} == {".jpg", ".png", ".webp", ".wav", ".flac", ".ogg"}
    assert sum(path.stat().st_size for path in SAMPLES_DIR.rglob("*") if path.is_file()) < 8 * 2**20
