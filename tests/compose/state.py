"""What compose, the workers' pages and their logs say, taken apart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.support.scraped import Scraped

N_PARTITIONS = 4
"""Of each topic, as docker-compose.yml makes them."""


class Container(NamedTuple):
    """A container of the project."""

    name: str
    state: str
    health: str
    exit_code: int

    @property
    def well(self) -> bool:
        """Whether it runs and its health check says so."""
        return self.state == "running" and self.health == "healthy"


def containers(text: str) -> list[Container]:
    """Of `docker compose ps --all --format json`: a line each, or one list of them, as versions differ."""
    text = text.strip()
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return sorted(Container(row["Name"], row["State"], row["Health"], int(row["ExitCode"])) for row in rows)


class Work(NamedTuple):
    """What a worker has to do and has done."""

    n_partitions: int
    n_records: int


def work(page: str) -> Work:
    """Of an answer of a worker's /metrics, its head included, however its lines end."""
    scraped = Scraped(page.replace("\r\n", "\n").partition("\n\n")[2])
    return Work(int(scraped.sum("assigned_partitions")), int(scraped.sum("records_total")))


def shared_out(held: Mapping[str, Work]) -> bool:
    """Whether the workers own all partitions, and each has one where there are as many."""
    counts = sorted(one.n_partitions for one in held.values())
    return sum(counts) == N_PARTITIONS and (len(counts) > N_PARTITIONS or counts[0] > 0)


def idle(before: Mapping[str, Work], after: Mapping[str, Work]) -> list[str]:
    """The workers that own partitions and have read nothing from one look to the next."""
    return sorted(
        name
        for name, now in after.items()
        if now.n_partitions and now.n_records <= before.get(name, Work(0, 0)).n_records
    )


def spread(held: Mapping[str, Work]) -> str:
    """How many partitions each worker has, the most first: `2 + 1 + 1`."""
    return " + ".join(str(n) for n in sorted((one.n_partitions for one in held.values()), reverse=True))


def verdict(report: str) -> str:
    """What `syncline verify --json` found, in a line: records by outcome, sends, repeats, and the violations."""
    found = json.loads(report)
    parts = [
        f"{section}: " + ", ".join(f"{n} {row}" for row, n in found["counts"][section].items())
        for section in ("records", "sends", "repeats")
        if section in found["counts"]
    ]
    kinds = ", ".join(f"{n} {kind}" for kind, n in found["violations_by_kind"].items())
    first = [f"the first: {one['sentence']}" for one in found["violations"][:1]]
    return "; ".join([*parts, f"violations: {kinds or 'none'}", *first])


def error_lines(log: Iterable[str]) -> int:
    """Lines of a worker's log at level ERROR or above."""
    return sum(any(f" {level} " in line for level in ("ERROR", "CRITICAL")) for line in log)
