"""What Docker's events say of containers: who was told to stop, and how that ended; who became unhealthy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

_KILLED = "9"


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """A container that was told to stop. `forced`: its grace was over, and the engine killed it."""

    service: str
    container: str
    took_s: float
    exit_code: int
    forced: bool

    @property
    def clean(self) -> bool:
        """Whether it ended by itself, within its grace, with 0. A JVM that SIGTERM ends says 143, whatever it did."""
        return not self.forced and self.exit_code in ((0, 143) if self.service == "kafka" else (0,))

    def __str__(self) -> str:
        killed = ", killed when its grace was over" if self.forced else ""
        return f"{self.container}: {self.exit_code} after {self.took_s:.1f} s{killed}"


def parse(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The events of `docker events --format '{{json .}}'`; a last line that is not whole yet is left out."""
    return [json.loads(line) for line in lines if line.endswith("\n")]


def stops(events: Iterable[dict[str, Any]]) -> list[Stop]:
    """Each stop that the engine was asked for and that has ended, in the order in which they ended."""
    asked: dict[str, tuple[int, bool]] = {}
    found: list[Stop] = []
    for event in events:
        action, identity, attributes = event["Action"], event["Actor"]["ID"], event["Actor"]["Attributes"]
        if action == "kill":
            since_ns, forced = asked.get(identity, (event["timeNano"], False))
            asked[identity] = since_ns, forced or attributes.get("signal") == _KILLED
        elif action == "die" and identity in asked:
            since_ns, forced = asked.pop(identity)
            found.append(
                Stop(
                    service=attributes["com.docker.compose.service"],
                    container=attributes["name"],
                    took_s=(event["timeNano"] - since_ns) / 1e9,
                    exit_code=int(attributes["exitCode"]),
                    forced=forced,
                )
            )
    return found


def ended_by_themselves(events: Iterable[dict[str, Any]]) -> list[str]:
    """Containers that ended without being asked, with their exit codes."""
    asked: set[str] = set()
    found: list[str] = []
    for event in events:
        identity, attributes = event["Actor"]["ID"], event["Actor"]["Attributes"]
        if event["Action"] == "kill":
            asked.add(identity)
        elif event["Action"] == "die":
            if identity not in asked:
                found.append(f"{attributes['name']}: {attributes['exitCode']}")
            asked.discard(identity)
    return found


def unhealthy(events: Iterable[dict[str, Any]]) -> list[str]:
    """The containers that failed their health check so often that the engine called them unhealthy."""
    names = (event["Actor"]["Attributes"]["name"] for event in events if event["Action"] == "health_status: unhealthy")
    return sorted(set(names))


def told(found: Sequence[Stop]) -> str:
    """The stops in words: the codes and the longest time, and each that was not clean."""
    if not found:
        return "none"
    longest = max(found, key=lambda stop: stop.took_s)
    n_clean = sum(stop.clean for stop in found)
    words = [f"{n_clean} of {len(found)} clean, the longest {longest.took_s:.1f} s ({longest.container})"]
    return "; ".join([*words, *(str(stop) for stop in found if not stop.clean)])
