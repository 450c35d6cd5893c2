"""The same join as a plain Faust application, written as in Faust's documentation.

It has an agent for each topic, a table of each moment's events with a changelog, and a result topic. Faust acknowledges
an event when its agent takes the next, and commits offsets every few seconds, after a flush.

    PLAIN_BROKERS=127.0.0.1:9092 PLAIN_PREFIX=bench. faust -A bench.plain_app worker --without-web

Conditions are in its favour: a moment's events are never in two buckets, nothing is out of order, and it has the
workers' session timeout and heartbeats.
"""

# pyright: basic

from __future__ import annotations

import os

import faust

from bench.records import PERIOD_MS
from syncline.wire.contract import H_ID, H_TIME, MODALITIES
from syncline.wire.timestamps import parse_time_ms

BROKERS, PREFIX = os.environ["PLAIN_BROKERS"], os.environ["PLAIN_PREFIX"]
N_PARTITIONS = int(os.environ.get("PLAIN_PARTITIONS", "4"))
app = faust.App(
    f"{PREFIX}plain",
    broker=f"kafka://{BROKERS}",
    store="memory://",
    topic_partitions=N_PARTITIONS,
    broker_session_timeout=float(os.environ.get("PLAIN_SESSION_S", "6")),
    broker_heartbeat_interval=1.0,
    stream_wait_empty=False,  # with Faust's own default a rebalance under load can hang
)
results = app.topic(f"{PREFIX}plain", key_type=str, value_serializer="json", partitions=N_PARTITIONS)
pending = app.Table("pending", default=dict, partitions=N_PARTITIONS)
"""By stream, each topic's newest time, and by bucket of event time that moment's events."""


async def take(modality: str, event: faust.EventT) -> None:
    """Add one event to its moment; send complete moments, and those that all three topics have passed."""
    state = pending[event.key] or {"newest": {}, "moments": {}}
    moments, newest = state["moments"], state["newest"]
    bucket = parse_time_ms(event.headers[H_TIME].decode()) // PERIOD_MS
    newest[modality] = max(bucket, newest.get(modality, 0))
    moments.setdefault(str(bucket), {})[modality] = event.headers[H_ID].decode()
    # By the topic furthest behind, so that a topic read faster does not end other topics' moments.
    passed = min(newest.values()) if len(newest) == len(MODALITIES) else 0
    done = [one for one, lanes in moments.items() if len(lanes) == len(MODALITIES) or int(one) < passed]
    finished = [(int(one), moments.pop(one)) for one in sorted(done, key=int)]
    pending[event.key] = state
    for number, lanes in finished:
        await results.send(key=event.key, value={"start_ms": number * PERIOD_MS, "members": lanes})


def _add_agent(modality: str) -> None:
    topic = app.topic(f"{PREFIX}media.{modality}", key_type=str, value_serializer="raw")

    @app.agent(topic, name=f"take-{modality}")
    async def agent(stream: faust.StreamT) -> None:
        async for event in stream.events():
            await take(modality, event)


for _modality in MODALITIES:
    _add_agent(_modality)
