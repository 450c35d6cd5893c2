"""The manifest that the demo's producer in docker-compose.yml sends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from syncline.manifest import read_manifest
from syncline.wire.contract import MAX_EVENT_BYTES

SCRIPT = Path(__file__).parents[2] / "examples" / "make_manifest.py"


def test_syncline_produce_takes_it(tmp_path: Path) -> None:
    """Two streams for three seconds: six moments each, all three modalities, times from now on."""
    command = [sys.executable, str(SCRIPT), "--streams", "2", "--seconds", "3"]
    before_ms = time.time_ns() // 1_000_000
    written = subprocess.run(command, capture_output=True, check=True, timeout=300).stdout
    manifest = tmp_path / "demo.jsonl"
    manifest.write_bytes(written)
    steps = read_manifest(manifest, MAX_EVENT_BYTES)
    assert Counter((step.entry.stream, step.entry.modality) for step in steps) == {
        (stream, modality): 6 for stream in ("camera-0", "camera-1") for modality in ("image", "text", "audio")
    }
    assert all(step.entry.time_ms >= before_ms for step in steps)
