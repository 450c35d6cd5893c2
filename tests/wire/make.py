"""`python -m tests.wire.make`: freeze what today's code writes, once for each version. See README.md."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from streams.decisions.entries import MAJOR, MINOR
from syncline.wire.results import OutgoingRecord
from tests.wire.samples import samples

FOLDER = Path(__file__).parent


def to_json(record: OutgoingRecord) -> dict[str, Any]:
    """One record, bytes as base64."""
    return {
        "topic": record.topic,
        "key": None if record.key is None else _text(record.key),
        "value": _text(record.value),
        "headers": [[name, _text(value)] for name, value in record.headers],
    }


def from_json(found: dict[str, Any]) -> OutgoingRecord:
    """The record again."""
    key = None if found["key"] is None else base64.b64decode(found["key"])
    headers = [(name, base64.b64decode(value)) for name, value in found["headers"]]
    return OutgoingRecord(found["topic"], key, base64.b64decode(found["value"]), headers)


def frozen(version: str) -> dict[str, OutgoingRecord]:
    """What a version wrote, by name."""
    return {name: from_json(found) for name, found in json.loads((FOLDER / f"{version}.json").read_text()).items()}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def main() -> int:
    """Write this version's file; 1 where there is one."""
    path = FOLDER / f"{MAJOR}.{MINOR}.json"
    if path.exists():
        sys.stderr.write(f"{path.name} is there, and never changed: raise the version first\n")
        return 1
    path.write_text(json.dumps({name: to_json(record) for name, record in samples().items()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
