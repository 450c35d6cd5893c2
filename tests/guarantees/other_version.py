"""Makes this worker process one of another version: the next, which writes more, or the first, which wrote less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack

from streams.decisions import entries as versions
from streams.decisions import proposer
from streams.decisions.entries import Entry, SnapshotPart, encode_entry
from streams.partition import decision_log
from syncline.wire import results
from tests.support.interferences import OtherVersion

NEW = "of a later version"
"""What the next version puts at the end of everything that may grow."""
N_DECISIONS = 3
"""Where a batch has its decisions, behind its kind, claim and number."""


def become(version: OtherVersion) -> None:
    """Patch this process; "" is the version that it is."""
    if version:
        {"next": _become_next, "first": _become_first}[version]()


def _become_next() -> None:
    """A minor number more: fields at the end of entries, decisions, items, claims, lanes and runs, and in results."""
    following = f"{versions.MAJOR}.{versions.MINOR + 1}"
    decision_log.version_headers = lambda _: versions.version_headers(following)
    proposer.encode_entry = lambda entry, _: msgpack.packb(grown_entry(msgpack.unpackb(encode_entry(entry))))
    results._ENCODER = _GrowingEncoder(results._ENCODER)  # type: ignore[assignment]


def _become_first() -> None:
    """0.1.0: the log without a version header, snapshots without what is resolved."""
    decision_log.version_headers = lambda _: []
    proposer.encode_entry = _as_the_first_version_wrote


def _as_the_first_version_wrote(entry: Entry, _: str) -> bytes:
    data = encode_entry(entry, "1.2")
    return msgpack.packb(msgpack.unpackb(data)[:-1]) if isinstance(entry, SnapshotPart) else data


def grown_entry(values: list[Any]) -> list[Any]:
    """An entry as the next version writes it."""
    kind = values[0]
    if kind == "batch":
        values[N_DECISIONS] = [_grown_decision(decision) for decision in values[N_DECISIONS]]
    if kind == "snapshot":
        *head, claim, clocks, bounds, resolved = values
        values = [*head, claim and [*claim, NEW], _each_grown(clocks), bounds, _each_grown(resolved)]
    return [*values, NEW]


def _grown_decision(values: list[Any]) -> list[Any]:
    kind, *rest = values
    if kind == "set":
        rest[5] = _each_grown(rest[5])
    if kind in ("unfused", "closed"):
        rest[0] = [*rest[0], NEW]
    if kind == "deadletter" and rest[3] is not None:
        rest[3] = [*rest[3], NEW]
    return [kind, *rest, NEW]


def _each_grown(rows: list[list[Any]]) -> list[list[Any]]:
    return [[*row, NEW] for row in rows]


class _GrowingEncoder:
    """Encodes results as maps with a further field."""

    def __init__(self, encoder: Any) -> None:
        self._encode: Callable[[Any], bytes] = encoder.encode

    def encode(self, value: Any) -> bytes:
        """A result with what is new in it."""
        return msgpack.packb({**msgpack.unpackb(self._encode(value)), "since_later": NEW})
