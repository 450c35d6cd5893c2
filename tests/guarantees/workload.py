"""What is sent in a run, from a seed: streams with jitter, gaps, disorder, late, broken and repeated records.

Event time is made up (a moment of each stream every `PERIOD_MS`, from a fixed day on); records are in the order in
which they are sent, which is that of their event time but for the delays drawn here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from syncline.wire.contract import CONTENT_TYPES, MODALITIES
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.placement import partition_for
from tests.guarantees.media import BREAKS, TOO_LARGE, Media

START_MS = 1_700_000_000_000
PERIOD_MS = 200
JITTER_MS = 20
ON_THE_WAY_MS = 30
"""What every record takes to its topic, at most."""
OUT_OF_ORDER_MS = 230
"""By how much a record out of order comes later than it might: behind the next of its lane."""


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """How often what happens, as the share of records; `silent` is the share of lanes that once fall silent."""

    missing: float = 0.08
    silent: float = 0.25
    out_of_order: float = 0.05
    late: float = 0.02
    duplicate: float = 0.02
    broken: float = 0.02
    unexpected: float = 0.005
    too_large: float = 0.001


def workload(seed: int, n_records: int, n_partitions: int, n_streams: int, mix: Mix | None = None) -> list[Media]:
    """The first `n_records` records of these streams, in the order in which they are sent."""
    source = _Source(random.Random(seed), n_partitions, n_streams, Mix() if mix is None else mix)
    due: list[tuple[int, int, Media]] = []
    moment = 0
    while len(due) < n_records * 1.2:  # what is due late would be missing at the end
        for stream in range(n_streams):
            due += [(at_ms, len(due) + n, media) for n, (at_ms, media) in enumerate(source.moment(stream, moment))]
        moment += 1
    return [media for _, _, media in sorted(due, key=lambda one: one[:2])[:n_records]]


class _Source:
    def __init__(self, random_: random.Random, n_partitions: int, n_streams: int, mix: Mix) -> None:
        self._random, self._n_partitions, self._mix = random_, n_partitions, mix
        self._names = [f"stream-{n}-{random_.randrange(1_000_000)}" for n in range(n_streams)]
        self._silent = {
            (stream, modality): (start := random_.randrange(5, 40), start + random_.randrange(10, 30))
            for stream in range(n_streams)
            for modality in MODALITIES
            if random_.random() < mix.silent
        }

    def moment(self, stream: int, moment: int) -> Iterator[tuple[int, Media]]:
        """All records of one moment of one stream, each with when it is due."""
        for modality in MODALITIES:
            event = self._event(stream, modality, moment)
            start, end = self._silent.get((stream, modality), (0, 0))
            if start <= moment < end or self._happens(self._mix.missing):
                continue
            kind, delay_ms = self._delay()
            yield event.time_ms + delay_ms, self._media(event, kind)
            if self._happens(self._mix.duplicate):
                yield event.time_ms + delay_ms + self._random.randrange(5 * PERIOD_MS), self._media(event, "duplicate")
            yield from self._extra(event)

    def _event(self, stream: int, modality: str, moment: int) -> MediaEvent:
        return MediaEvent(
            stream=self._names[stream],
            modality=modality,
            source=f"urn:test:{modality}",
            id=str(moment),
            time_ms=START_MS + moment * PERIOD_MS + self._random.randrange(JITTER_MS),
            content_type=CONTENT_TYPES[modality][0],
            duration_ms=self._random.choice((0, 20)) if modality == "audio" else 0,
        )

    def _delay(self) -> tuple[str, int]:
        usual_ms = self._random.randrange(ON_THE_WAY_MS)
        if self._happens(self._mix.out_of_order):
            return "out of order", usual_ms + OUT_OF_ORDER_MS
        if self._happens(self._mix.late):
            return "late", usual_ms + self._random.randrange(4, 10) * PERIOD_MS
        return "ok", usual_ms

    def _extra(self, event: MediaEvent) -> Iterator[tuple[int, Media]]:
        if self._happens(self._mix.broken):
            how = self._random.choice(sorted(BREAKS))
            media = self._media(msgspec.structs.replace(event, id=f"{event.id}-{how}"), how)
            yield event.time_ms, BREAKS[how](media, self._n_partitions)
        if self._happens(self._mix.unexpected):
            other = msgspec.structs.replace(event, lane="spare", id=f"{event.id}-spare")
            yield event.time_ms, self._media(other, "unexpected")
        if self._happens(self._mix.too_large):
            media = self._media(msgspec.structs.replace(event, id=f"{event.id}-large"), "too large to be sent")
            yield event.time_ms, replace(media, value=TOO_LARGE)

    def _media(self, event: MediaEvent, kind: str) -> Media:
        key = event.stream.encode()
        partition = partition_for(key, self._n_partitions)
        headers = build_headers(event)
        if event.modality == "text":  # as tracing agents do, each of which appends its own
            headers += [("x-span", b"1"), ("x-span", b"2")]
        return Media(event, event.topic, partition, key, f"{event.id} {kind}".encode(), headers, kind)

    def _happens(self, share: float) -> bool:
        return self._random.random() < share
