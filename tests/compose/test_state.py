"""What compose and the workers' pages say is understood, and judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from syncline.wire.placement import partition_for
from tests.compose.feed import N_STREAMS
from tests.compose.state import N_PARTITIONS, Work, containers, error_lines, idle, shared_out, spread, verdict, work
from verify.report import Report, Violation

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
PAGE = """# HELP syncline_assigned_partitions Partition numbers that this worker owns.
# TYPE syncline_assigned_partitions gauge
syncline_assigned_partitions 2.0
# HELP syncline_records_total Records taken from the media topics.
# TYPE syncline_records_total counter
syncline_records_total{modality="image"} 5.0
syncline_records_total{modality="text"} 6.0
"""


def held(*n_partitions: int) -> dict[str, Work]:
    """Workers with so many partitions each."""
    return {f"worker-{number}": Work(n, 0) for number, n in enumerate(n_partitions)}


@pytest.mark.parametrize("as_list", [False, True], ids=["a line each", "one list"])
def test_both_forms_of_composes_list_are_read(as_list: bool) -> None:
    """Versions of compose differ."""
    row = {"Name": "worker-2", "State": "running", "Health": "healthy", "ExitCode": 0, "Service": "worker"}
    rows = [row, row | {"Name": "worker-1", "State": "exited", "Health": "", "ExitCode": 137}]
    text = json.dumps(rows) if as_list else "\n".join(map(json.dumps, rows)) + "\n"
    assert [(one.name, one.well, one.exit_code) for one in containers(text)] == [
        ("worker-1", False, 137), ("worker-2", True, 0),
    ]  # fmt: skip
    assert containers("") == []


@pytest.mark.parametrize("end", ["\r\n", "\n"], ids=["as sent", "as text"])
def test_a_workers_page_says_what_it_does(end: str) -> None:
    """Its partitions, and the records of all modalities; a pipe that is read as text has other ends of lines."""
    head = ["HTTP/1.0 200 OK", "Content-Type: text/plain", "", ""]
    assert work(end.join(head) + PAGE) == Work(2, 11)


@pytest.mark.parametrize(
    ("counts", "right"),
    [((1, 1, 1, 1), True), ((2, 1, 1), True), ((3, 1), True), ((1, 1, 1, 1, 0), True), ((2, 1, 1, 0, 0), True),
     ((2, 2, 0), False), ((1, 1, 1), False), ((2, 2, 1), False), ((), False)],
)  # fmt: skip
def test_each_worker_has_work_whenever_there_are_as_many_partitions(counts: tuple[int, ...], right: bool) -> None:
    """And together they have all, none twice."""
    assert shared_out(held(*counts)) is right


def test_who_owns_partitions_and_reads_nothing_is_idle() -> None:
    """A worker without partitions has nothing to read; one that has started anew begins at 0."""
    before = {"a": Work(1, 10), "b": Work(1, 10), "c": Work(0, 0)}
    after = {"a": Work(1, 11), "b": Work(1, 10), "c": Work(0, 0), "d": Work(2, 1)}
    assert idle(before, after) == ["b"]


def test_a_spread_is_told_from_the_most_to_the_fewest() -> None:
    """Whoever has them."""
    assert spread(held(1, 0, 2)) == "2 + 1 + 0"


def test_a_verdict_names_records_repeats_and_violations() -> None:
    """In one line; of the violations their kinds and the first."""
    right = Report()
    right.count("records", "fused", 30)
    right.count("decisions", "set, complete by complete", 10)
    assert verdict(json.dumps(right.as_dict())) == "records: 30 fused; violations: none"
    right.add(Violation(kind="no outcome", sentence="media.image@2 has none", partition=0))
    assert verdict(json.dumps(right.as_dict())).endswith("violations: 1 no outcome; the first: media.image@2 has none")


def test_errors_are_told_by_the_level_of_a_line() -> None:
    """Not by the word in a message."""
    log = ["2026-03-01 12:00:00,1 ERROR streams.kafka: x", "2026-03-01 12:00:00,1 INFO streams: an error", "Traceback"]
    assert error_lines(log) == 1


def test_partitions_are_those_that_compose_makes_and_the_feed_reaches_each() -> None:
    """A partition that gets nothing would leave its worker idle, through no fault of its own."""
    command = yaml.safe_load(COMPOSE.read_text())["services"]["topics"]["command"]
    assert int(command[command.index("--partitions") + 1]) == N_PARTITIONS
    reached = {partition_for(f"door-{number}".encode(), N_PARTITIONS) for number in range(N_STREAMS)}
    assert reached == set(range(N_PARTITIONS))
