"""Writes a manifest of four live streams, made of the demo's samples, for `syncline produce`.

    python examples/make_manifest.py --seconds 20 > /tmp/demo.jsonl
    syncline produce /tmp/demo.jsonl

Each line is one event: a picture, a sentence or a piece of speech of one moment. Event times begin now.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEMO = Path(__file__).resolve().parent / "demo"
PERIOD_MS = 500
JITTER_MS = 40


def lines(n_streams: int, seconds: int) -> Iterator[dict[str, Any]]:
    """One line an event, by event time within each stream and modality."""
    samples = json.loads((DEMO / "samples.json").read_text(encoding="utf-8"))["samples"]
    start_ms = time.time_ns() // 1_000_000
    for number in range(seconds * 1_000 // PERIOD_MS):
        for stream in range(n_streams):
            sample = random.choice(samples)
            # The same moment, at slightly different times.
            image_ms, text_ms, audio_ms = (
                start_ms + number * PERIOD_MS + random.randint(0, JITTER_MS) for _ in range(3)
            )
            event = {"stream": f"camera-{stream}"}
            yield event | {"modality": "image", "time_ms": image_ms, "path": str(DEMO / sample["image"])}
            yield event | {"modality": "text", "time_ms": text_ms, "text": sample["text_en"], "language": "en"}
            yield event | {"modality": "audio", "time_ms": audio_ms, "path": str(DEMO / sample["audio"])}


def main() -> None:
    """Write the manifest to stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=4, help="how many streams (default 4)")
    parser.add_argument("--seconds", type=int, default=60, help="how long they last (default 60)")
    options = parser.parse_args()
    for line in lines(options.streams, options.seconds):
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
