"""streams/observe/server.py, connections.py: two paths, reasons in words, and nobody who keeps others from them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from streams.observe import server as connections
from streams.observe.server import MAX_CONNECTIONS, HealthServer


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


HALF = b"GET /livez HTTP/1.1\r\nHost: worker\r\nX: "
WHOLE = b"GET /livez HTTP/1.1\r\nHost: worker\r\n\r\n"


@pytest.fixture
def sockets(server: HealthServer) -> Iterator[list[socket.socket]]:
    """Connections that a test opens; closed at its end."""
    opened: list[socket.socket] = []
    yield opened
    for one in opened:
        one.close()


async def connect(server: HealthServer, sockets: list[socket.socket], data: bytes) -> None:
    """Open one, and send something on it."""
    one = socket.socket()
    one.setblocking(False)
    sockets.append(one)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(one, ("127.0.0.1", server.port))
    await loop.sock_sendall(one, data)


async def ended(one: socket.socket) -> bool:
    """Wait until the server has closed a connection; it says nothing before."""
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(one, 100), 300) == b""
    except ConnectionResetError:
        return True


def n_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


async def test_connections_without_end_keep_nobody_from_an_answer(
    server: HealthServer, sockets: list[socket.socket]
) -> None:
    """Of half requests only the newest are kept, however many come: each costs a file descriptor, others need some."""
    before = n_descriptors()
    for _ in range(5 * MAX_CONNECTIONS):
        await connect(server, sockets, HALF)
    assert (await get(server, "/livez"))[0] == 200
    assert n_descriptors() - before <= len(sockets) + MAX_CONNECTIONS
    assert await ended(sockets[0])


@pytest.mark.parametrize("data", [b"", HALF, WHOLE + HALF])
async def test_a_connection_without_a_request_is_closed(
    server: HealthServer, sockets: list[socket.socket], data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says nothing, one that never ends its request, and one that waits between two."""
    monkeypatch.setattr(connections, "ANSWER_LIMIT_S", 0.2)
    await connect(server, sockets, data)
    if data.startswith(WHOLE):
        assert (await asyncio.get_running_loop().sock_recv(sockets[0], 10_000)).startswith(b"HTTP/1.1 200")
    assert await ended(sockets[0])


async def until_descriptors(n_wanted: int) -> None:
    """Wait until this process has so many."""
    async with asyncio.timeout(300):
        while n_descriptors() != n_wanted:  # noqa: ASYNC110 (the operating system has no event for it)
            await asyncio.sleep(0.01)


async def test_whoever_does_not_read_its_answers_is_closed(
    server: HealthServer, sockets: list[socket.socket], reasons: Reasons, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that nobody takes would be held, and its connection, for ever."""
    reasons.not_live = ["x" * 20_000_000]
    monkeypatch.setattr(connections, "ANSWER_LIMIT_S", 0.5)
    before = n_descriptors()
    await connect(server, sockets, WHOLE)
    await until_descriptors(before + 2)  # ours, and the server's
    await until_descriptors(before + 1)


async def test_a_connection_that_goes_on_asking_stays(
    server: HealthServer, sockets: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are too many, the one that has been longest without a request goes first."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    await connect(server, sockets, b"")
    loop = asyncio.get_running_loop()
    for _ in range(5):
        await loop.sock_sendall(sockets[0], WHOLE)
        assert (await asyncio.wait_for(loop.sock_recv(sockets[0], 10_000), 300)).startswith(b"HTTP/1.1 200")
        await connect(server, sockets, HALF)
    assert await ended(sockets[1])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/metrics", 404), ("POST", "/livez", 405)]
)
async def test_what_is_not_there_is_said(server: HealthServer, method: str, path: str, status: int) -> None:
    """404 and 405; a HEAD is answered as a GET is."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        async with session.request(method, path) as response:
            assert response.status == status
        async with session.head("/readyz") as response:
            assert (response.status, await response.read()) == (200, b"")
