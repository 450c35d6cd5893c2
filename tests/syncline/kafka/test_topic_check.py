"""The comparison alone, on states that no broker needs to be brought into."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncline.kafka.topics import DAY_MS, MAX_ENTRY_BYTES, TopicPlan, TopicState, compare
from syncline.wire.contract import ALL_TOPICS, DEADLETTER, DECISIONS


def good(n_partitions: int = 4, replication: int = 3) -> dict[str, TopicState]:
    """States as a broker tells them after a proper create."""
    plan = TopicPlan(n_partitions=n_partitions, replication=replication)
    return {topic: TopicState(n_partitions, replication, plan.config(topic)) for topic in ALL_TOPICS}


def with_config(states: dict[str, TopicState], topic: str, **settings: str) -> dict[str, TopicState]:
    """The same states, but for some settings of one topic (`_` for a dot)."""
    config = {**states[topic].config, **{name.replace("_", "."): value for name, value in settings.items()}}
    return {**states, topic: replace(states[topic], config=config)}


def test_good_states_have_no_difference() -> None:
    """A proper set of topics passes."""
    assert compare(good(), "x.", n_partitions=4, replication=3).differences == []


def test_settings_that_the_broker_does_not_tell_are_told_once() -> None:
    """A setting that no topic's answer holds is named once and fails nothing."""
    bare = {topic: replace(state, config={}) for topic, state in good().items()}
    report = compare(bare, "x.")
    assert report.differences == []
    assert report.untold == sorted({
        "cleanup.policy", "message.timestamp.type", "min.insync.replicas", "max.message.bytes", "retention.ms",
        "retention.bytes",
    })  # fmt: skip


@pytest.mark.parametrize(("media", "decisions", "fails"), [
    (DAY_MS, 8 * DAY_MS, False),
    (DAY_MS, 8 * DAY_MS - 1, True),
    (-1, 8 * DAY_MS, True),
    (-1, -1, False),
    (DAY_MS, -1, False),
])  # fmt: skip
def test_decisions_outlive_media_by_seven_days(media: int, decisions: int, fails: bool) -> None:
    """Retention of decisions is held against the longest of the media topics; -1 is for ever."""
    states = with_config(good(), DECISIONS, retention_ms=str(decisions))
    for topic in ("media.image", "media.text", "media.audio"):
        states = with_config(states, topic, retention_ms=str(DAY_MS))
    states = with_config(states, "media.text", retention_ms=str(media))
    assert [row.setting for row in compare(states, "x.").differences] == (["retention.ms"] if fails else [])


def test_decisions_are_as_safe_as_results() -> None:
    """Fewer in-sync replicas for decisions than for results is a difference."""
    report = compare(with_config(good(), DECISIONS, min_insync_replicas="1"), "x.")
    assert [str(row) for row in report.differences] == ["x.decisions: min.insync.replicas is 1, takes 2 or more"]


@pytest.mark.parametrize(("n_bytes", "fails"), [(MAX_ENTRY_BYTES, False), (MAX_ENTRY_BYTES - 1, True)])
def test_decisions_have_room_for_the_largest_entry(n_bytes: int, fails: bool) -> None:
    """Else one batch would be appended in vain for ever, and its partition would stand still."""
    report = compare(with_config(good(), DECISIONS, max_message_bytes=str(n_bytes)), "x.")
    expected = [f"x.decisions: max.message.bytes is {n_bytes}, takes {MAX_ENTRY_BYTES} or more"]
    assert [str(row) for row in report.differences] == (expected if fails else [])


def test_topics_for_small_media_have_a_log_for_large_entries() -> None:
    """What the plan says of a record's size is of media and results."""
    plan = TopicPlan(max_message_bytes=20_000)
    assert int(plan.config(DECISIONS)["max.message.bytes"]) >= MAX_ENTRY_BYTES
    assert plan.config("media.image")["max.message.bytes"] == "20000"


def test_dead_letters_have_room_for_the_largest_medium() -> None:
    """A media topic whose limit was raised asks for a raised limit of the dead letters."""
    report = compare(with_config(good(), "media.image", max_message_bytes="5000000"), "x.")
    assert [(row.topic, row.setting, row.takes) for row in report.differences] == [
        (f"x.{DEADLETTER}", "max.message.bytes", f"{5_000_000 + 65_536} or more")
    ]


def test_replication_is_compared_when_asked() -> None:
    """Fewer copies than asked for are a difference of every topic."""
    report = compare(good(replication=1), "x.", replication=3)
    assert {row.setting for row in report.differences} == {"replication"}
    assert len(report.differences) == len(ALL_TOPICS)
