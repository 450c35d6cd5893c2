"""A TCP proxy in front of a Kafka broker: resets connections, swallows what they say, delays it.

Brokers tell their clients their own addresses, so what they say is looked through, and the proxy's put in their place;
no broker has to know of it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from random import Random
from typing import Literal

HOST = "127.0.0.1"
Swallows = Literal["", "both", "asks", "answers"]
_SIZE = struct.Struct(">i")
_RST = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() resets
LOOKED_THROUGH_BYTES = 1 << 18
"""Answers that name addresses are smaller; records are not touched."""


class Proxy:
    """Stands between clients and the brokers at `brokers` (`127.0.0.1:port`, with commas); an async context manager.

    `address` is what clients are given. `is_black_hole`: nothing that is said arrives, in either direction, and
    connections stay open; what was said meanwhile is lost, as the connections are once it ends. `swallows`: the same
    of what clients say alone (`asks`), or brokers (`answers`). `refuses`: new connections are reset. `delay_s`: each
    answer is so much later.
    """

    def __init__(self, brokers: str) -> None:
        self._ports = [int(address.strip().rpartition(":")[2]) for address in brokers.split(",")]
        self._servers: list[asyncio.Server] = []
        self._own_ports: list[int] = []
        self._links: set[_Link] = set()
        self.n_resets = self.n_accepted = 0
        self.refuses = False
        self.delay_s = 0.0
        self._swallows: Swallows = ""

    async def __aenter__(self) -> Proxy:
        for port in self._ports:
            server = await asyncio.start_server(lambda r, w, port=port: self._serve(r, w, port), HOST, 0)
            self._servers.append(server)
            self._own_ports.append(server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        self.reset()
        while self._links:  # noqa: ASYNC110 (each ends by itself)
            await asyncio.sleep(0.01)

    @property
    def address(self) -> str:
        """Bootstrap addresses for clients."""
        return ",".join(f"{HOST}:{port}" for port in self._own_ports)

    @property
    def n_open(self) -> int:
        """Connections that are open."""
        return len(self._links)

    @property
    def is_black_hole(self) -> bool:
        """Whether nothing that is said arrives."""
        return self._swallows == "both"

    @is_black_hole.setter
    def is_black_hole(self, on: bool) -> None:
        self.swallows = "both" if on else ""

    @property
    def swallows(self) -> Swallows:
        """What does not arrive."""
        return self._swallows

    @swallows.setter
    def swallows(self, what: Swallows) -> None:
        if self._swallows and what != self._swallows:
            self.reset()
        self._swallows = what

    def reset(self, n_links: int | None = None, random: Random | None = None) -> int:
        """Reset all open connections, or `n_links` of them at random; how many those were."""
        links = sorted(self._links, key=id)
        if n_links is not None:
            links = (random or Random()).sample(links, min(n_links, len(links)))
        for link in links:
            link.reset()
        self.n_resets += len(links)
        return len(links)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self.n_accepted += 1
        link = _Link(writer)
        self._links.add(link)
        try:
            if not self.refuses:
                await self._carry(link, reader, port)
        finally:
            link.reset()
            self._links.discard(link)

    async def _carry(self, link: _Link, reader: asyncio.StreamReader, port: int) -> None:
        try:
            answers, link.beyond = await asyncio.open_connection(HOST, port, limit=1 << 22)
        except OSError:
            return
        ways = [asyncio.create_task(self._ask(reader, link)), asyncio.create_task(self._answer(answers, link))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)

    async def _ask(self, reader: asyncio.StreamReader, link: _Link) -> None:
        with suppress(OSError, EOFError):
            while said := await reader.read(1 << 16):
                if self._swallows not in ("both", "asks") and link.beyond is not None:
                    link.beyond.write(said)
                    await link.beyond.drain()

    async def _answer(self, answers: asyncio.StreamReader, link: _Link) -> None:
        with suppress(OSError, EOFError):
            while True:
                size = await answers.readexactly(_SIZE.size)
                said = await answers.readexactly(*_SIZE.unpack(size))
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self._swallows not in ("both", "answers"):
                    link.writer.write(size + (said if len(said) > LOOKED_THROUGH_BYTES else self._as_own(said)))
                    await link.writer.drain()

    def _as_own(self, said: bytes) -> bytes:
        for port, own in zip(self._ports, self._own_ports, strict=True):
            said = said.replace(HOST.encode() + _SIZE.pack(port), HOST.encode() + _SIZE.pack(own))
        return said


class _Link:
    """One client's connection, and ours to its broker."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.beyond: asyncio.StreamWriter | None = None

    def reset(self) -> None:
        """Have the client hear that its connection was reset, and the broker too."""
        for writer in (self.writer, self.beyond):
            if writer is not None and not writer.transport.is_closing():
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
                writer.transport.abort()


__all__ = ["Proxy"]
