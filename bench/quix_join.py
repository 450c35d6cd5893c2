"""The Quix Streams side of bench/join.py: two chained interval joins. Runs in its own environment.

Arguments: brokers, topic prefix, output topic, state folder, tolerance in ms.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application

ID_DIGITS = 8


def main(brokers: str, prefix: str, output: str, state_dir: str, tolerance_ms: str) -> None:
    """Join until stopped."""
    reach: dict[str, Any] = {"backward_ms": int(tolerance_ms), "forward_ms": int(tolerance_ms), "grace_ms": 1_000}
    app = Application(
        broker_address=brokers,
        consumer_group=output,
        auto_offset_reset="earliest",
        state_dir=state_dir,
        loglevel="WARNING",
    )
    image, text, audio = (
        app.dataframe(app.topic(f"{prefix}media.{modality}", value_deserializer="str"))
        for modality in ("image", "text", "audio")
    )
    pairs = image.join_interval(text, on_merge=lambda left, right: left[:ID_DIGITS] + right[:ID_DIGITS], **reach)
    triples = pairs.join_interval(audio, on_merge=lambda left, right: left + right[:ID_DIGITS], **reach)
    triples.to_topic(app.topic(output, value_serializer="str"))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
