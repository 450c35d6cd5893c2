"""streams/settings.py and the flags made of it."""

from __future__ import annotations

import pytest

from streams.settings import WorkerSettings
from syncline.errors import SettingsError
from syncline.settings.definition import settings_of


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("brokers", " "),
        ("group", ""),
        ("decode_threads", 0),
        ("web_port", 65_536),
        ("web_port", -1),
        ("heartbeat_ms", 5_000),
        ("log_level", "loud"),
        ("batch_max_items", 0),
        ("max_run_ms", 0),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes(name: str, value: object) -> None:
    """One line for people, exit code 2."""
    with pytest.raises(SettingsError) as caught:
        WorkerSettings(**{name: value})  # type: ignore[arg-type]
    assert caught.value.name == name
    assert caught.value.got == value
    assert caught.value.exit_code == 2


def test_every_setting_has_its_line_of_help() -> None:
    """One sentence, which `syncline worker --help` shows."""
    assert [setting.key for setting in settings_of(WorkerSettings) if not setting.help.endswith(".")] == []


def test_the_limits_of_the_batcher_are_passed_on() -> None:
    """Under their own names, since `max_wait_ms` is the join's."""
    settings = WorkerSettings(batch_max_items=8, batch_max_wait_ms=5, n_torch_threads=2)
    assert settings.runner.batch.max_items == 8
    assert settings.runner.batch.max_wait_ms == 5
    assert settings.runner.n_torch_threads == 2


def test_a_rebalance_is_heard_of_well_before_a_killed_workers_streams_must_flow() -> None:
    """A worker hears of it with its next heartbeat: that may take half of the 2 s granted beside the session."""
    assert WorkerSettings().heartbeat_ms <= 1_000
