"""Stops and their ends are told from Docker's events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.compose.events import Stop, ended_by_themselves, parse, stops, told, unhealthy


def event(action: str, at_s: float, name: str = "worker-1", **attributes: str) -> dict[str, Any]:
    """As the engine writes it, less what nobody reads."""
    given = {"name": name, "com.docker.compose.service": name.split("-", maxsplit=1)[0], **attributes}
    return {"Action": action, "Actor": {"ID": f"id of {name}", "Attributes": given}, "timeNano": int(at_s * 1e9)}


def stop(service: str = "worker", exit_code: int = 0, forced: bool = False) -> Stop:
    """One that took two seconds."""
    return Stop(service=service, container=f"{service}-1", took_s=2.0, exit_code=exit_code, forced=forced)


def test_a_stop_lasts_from_the_signal_to_the_end() -> None:
    """Others may end between."""
    happened = [
        event("kill", 10, signal="15"),
        event("kill", 10.5, "kafka-1", signal="15"),
        event("die", 11.5, "kafka-1", exitCode="143"),
        event("die", 13, exitCode="0"),
    ]
    kafka, worker = stops(happened)
    assert (kafka.service, kafka.took_s, kafka.exit_code, kafka.forced) == ("kafka", 1.0, 143, False)
    assert (worker.service, worker.took_s, worker.exit_code, worker.forced) == ("worker", 3.0, 0, False)


def test_who_is_killed_when_the_grace_is_over_is_forced() -> None:
    """The engine sends SIGKILL itself; the time counts from the first signal."""
    happened = [event("kill", 1, signal="15"), event("kill", 13, signal="9"), event("die", 13.5, exitCode="137")]
    (found,) = stops(happened)
    assert (found.forced, found.took_s) == (True, 12.5)
    assert not found.clean


@pytest.mark.parametrize(
    ("found", "clean"),
    [
        (stop(), True),
        (stop(exit_code=1), False),
        (stop(exit_code=143), False),
        (stop(exit_code=0, forced=True), False),
        (stop("kafka", 143), True),
        (stop("kafka", 137), False),
    ],
)
def test_a_clean_stop_ends_with_0_within_its_grace(found: Stop, clean: bool) -> None:
    """Only of a JVM is 143 what it says when SIGTERM has ended it."""
    assert found.clean is clean


def test_who_ends_unasked_is_no_stop() -> None:
    """Killed from inside, or ended by itself; what it does after its new start counts anew."""
    happened = [
        event("die", 1, exitCode="137"),
        event("start", 2),
        event("kill", 3, signal="15"),
        event("die", 4, exitCode="0"),
    ]
    assert ended_by_themselves(happened) == ["worker-1: 137"]
    assert [one.exit_code for one in stops(happened)] == [0]


def test_the_unhealthy_are_named_once() -> None:
    """However often a container was."""
    happened = [event("health_status: unhealthy", at_s, f"worker-{n}") for at_s, n in ((1, 2), (2, 1), (3, 2))]
    assert unhealthy([*happened, event("health_status: healthy", 4, "worker-3")]) == ["worker-1", "worker-2"]


def test_a_line_that_is_being_written_is_left_for_later() -> None:
    """The file is read while the engine's events are written to it."""
    line = json.dumps(event("die", 1, exitCode="0"))
    assert len(parse([line + "\n", line[:20]])) == 1


def test_what_was_not_clean_is_told_in_full() -> None:
    """The others are counted."""
    assert told([]) == "none"
    assert told([stop(), stop("kafka", 143)]) == "2 of 2 clean, the longest 2.0 s (worker-1)"
    mixed = told([stop(), stop(exit_code=1)])
    assert mixed == "1 of 2 clean, the longest 2.0 s (worker-1); worker-1: 1 after 2.0 s"
