"""Laws of `syncline.manifest`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import AbortedError, BrokerError
from syncline.manifest import ManifestEntry, Step, replay
from syncline.producer import Delivery


class FakeProducer:
    """Takes events down with the time at which they came; every `fail_every`-th delivery fails."""

    def __init__(self, fail_every: int = 0) -> None:
        self.sent: list[tuple[float, str, bytes | None]] = []
        self._fail_every = fail_every

    async def send_soon(
        self, stream: str, modality: str, data: bytes | None, **fields: Any
    ) -> asyncio.Future[Delivery]:
        loop = asyncio.get_running_loop()
        self.sent.append((loop.time(), fields["id"], data))
        delivery: asyncio.Future[Delivery] = loop.create_future()
        if self._fail_every and len(self.sent) % self._fail_every == 0:
            delivery.set_exception(BrokerError("gone"))
        else:
            delivery.set_result(Delivery(fields["id"], f"media.{modality}", 0, len(self.sent)))
        return delivery


def steps(*due_ms: int, file: Path | None = None) -> list[Step]:
    entries = [
        ManifestEntry(stream="s", modality="text", time_ms=0, text=None if file else "x", id=str(ms)) for ms in due_ms
    ]
    return [Step(ms, entry, file) for ms, entry in zip(due_ms, entries, strict=True)]


@pytest.mark.parametrize(("rate", "scale"), [(1.0, 1.0), (4.0, 0.25), (0.0, 0.0)])
async def test_events_go_out_at_their_times(rate: float, scale: float) -> None:
    """None goes out before it is due at this rate; rate 0 waits for nothing."""
    producer = FakeProducer()
    start_s = asyncio.get_running_loop().time()
    assert await replay(producer, steps(0, 40, 80), rate) == 0  # type: ignore[arg-type]
    for (at_s, event_id, _), due_ms in zip(producer.sent, (0, 40, 80), strict=True):
        assert event_id == str(due_ms)
        assert at_s - start_s >= due_ms / 1000 * scale - 0.002


async def test_files_are_read_when_they_are_due(tmp_path: Path) -> None:
    """The payload is the file's bytes."""
    (tmp_path / "a").write_bytes(b"bytes")
    producer = FakeProducer()
    await replay(producer, steps(0, file=tmp_path / "a"), 0)  # type: ignore[arg-type]
    assert producer.sent[0][2] == b"bytes"


async def test_failed_deliveries_are_counted_and_stop_nothing() -> None:
    """All is tried; the number of failures comes back."""
    producer = FakeProducer(fail_every=3)
    assert await replay(producer, steps(*range(10)), 0) == 3  # type: ignore[arg-type]
    assert len(producer.sent) == 10


async def test_what_belongs_to_one_stretch_of_time_is_one_transaction() -> None:
    """One that is aborted fails with all that was in it, and the next ones go on."""
    producer, open_now = FakeProducer(fail_every=3), list[list[str]]()

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[None]:
        n_before = len(producer.sent)
        yield
        open_now.append([event_id for _, event_id, _ in producer.sent[n_before:]])
        if n_before == 2:
            raise AbortedError("one was refused")

    producer.transaction = transaction  # type: ignore[attr-defined]
    n_failed = await replay(producer, steps(0, 999, 1_000, 1_500, 5_000), 0, transaction_ms=1_000)  # type: ignore[arg-type]
    assert open_now == [["0", "999"], ["1000", "1500"], ["5000"]]
    assert n_failed == 2
