"""streams/health/server.py: two paths, reasons in words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from streams.health.server import HealthServer


class Reasons:
    """What is wrong, to be changed by a test."""

    def __init__(self) -> None:
        self.not_live: list[str] = []
        self.not_ready: list[str] = []
        self.lag: dict[str, int] | None = {"records": 7, "age_ms": 40}


@pytest.fixture
def reasons() -> Reasons:
    return Reasons()


@pytest.fixture
async def server(reasons: Reasons) -> AsyncIterator[HealthServer]:
    server = HealthServer(
        "127.0.0.1", 0, lambda: reasons.not_live, lambda: reasons.not_ready, lambda: {"lag": reasons.lag}
    )
    await server.start()
    yield server
    await server.stop()


async def get(server: HealthServer, path: str) -> tuple[int, dict[str, object]]:
    """Status and answer."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{server.port}{path}") as response:
        return response.status, json.loads(await response.text())


async def test_without_reasons_both_say_yes(server: HealthServer) -> None:
    """Status 200, and an empty list; /readyz says the lag in any case."""
    assert await get(server, "/livez") == (200, {"ok": True, "reasons": []})
    assert await get(server, "/readyz") == (200, {"ok": True, "reasons": [], "lag": {"records": 7, "age_ms": 40}})


async def test_not_ready_is_still_live(server: HealthServer, reasons: Reasons) -> None:
    """A worker that recovers must not be killed for it."""
    reasons.not_ready = ["partition 2: recovering from the decision log"]
    reasons.lag = None
    assert await get(server, "/readyz") == (503, {"ok": False, "reasons": reasons.not_ready, "lag": None})
    assert (await get(server, "/livez"))[0] == 200


async def test_not_live_is_not_ready_either(server: HealthServer, reasons: Reasons) -> None:
    """And says both."""
    reasons.not_live, reasons.not_ready = ["the model's thread has ended"], ["more"]
    assert (await get(server, "/livez"))[0] == 503
    assert (await get(server, "/readyz"))[1]["reasons"] == ["the model's thread has ended", "more"]


async def test_a_taken_port_is_an_os_error(server: HealthServer) -> None:
    """The worker makes a setting's error of it."""
    with pytest.raises(OSError, match="address already in use"):
        await HealthServer("127.0.0.1", server.port, list, list).start()
