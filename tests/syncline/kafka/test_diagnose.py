"""syncline/kafka/diagnose.py: what a client says of a broker that it cannot trust, or that does not want it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import AccessError, BrokerError, BrokerUnreachableError
from syncline.kafka.cluster import Cluster
from syncline.kafka.diagnose import find_refusal
from syncline.kafka.security import SecuritySettings
from tests.support.brokers import TestBroker
from tests.support.certificates import YESTERDAY, Authority

NEXT_WEEK = datetime.timedelta(days=7)


@contextmanager
def tls_server(certificate: Path, clients: Path | None = None) -> Iterator[str]:
    """A server that speaks TLS and nothing else; with `clients` it wants a certificate of that authority.

    On a thread: asyncio's servers hang up without the alert that says why.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # Kept open until the client is done: unread bytes would make a reset of the alert.
            with self.request.dup() as raw, contextlib.suppress(OSError):
                with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as wrapped:
                    wrapped.recv(1)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


async def refusal(address: str, **settings: Any) -> BrokerError:
    """What a client with these settings says."""
    found = await find_refusal(Cluster.of(address, SecuritySettings(**settings)))
    assert found is not None
    assert str(found).startswith(f"broker {address}: ")
    return found


@pytest.mark.parametrize(
    ("identity", "ends_in", "told"),
    [
        ("127.0.0.1", YESTERDAY, "has expired"),
        ("127.0.0.1", NEXT_WEEK, "is not valid yet"),
        ("other.test", None, "is for another name"),
    ],
)
async def test_what_is_wrong_with_a_brokers_certificate_is_told(
    tmp_path: Path, identity: str, ends_in: datetime.timedelta | None, told: str
) -> None:
    """Certificates hold for two days, so that one which ends next week has not begun."""
    authority = Authority(tmp_path)
    with tls_server(authority.issue("broker", identity, ends_in=ends_in)) as address:
        found = await refusal(address, security_protocol="SSL", ssl_cafile=str(authority.file))
    assert isinstance(found, AccessError)
    assert told in str(found)


@pytest.mark.parametrize("own", [True, False], ids=["ssl_cafile", "the system's"])
async def test_an_authority_that_nobody_knows_is_told(tmp_path: Path, own: bool) -> None:
    """And which authorities were asked."""
    other = str(Authority(tmp_path / "other").file) if own else ""
    with tls_server(Authority(tmp_path / "broker").issue("broker", "127.0.0.1")) as address:
        found = await refusal(address, security_protocol="SSL", ssl_cafile=other)
    assert isinstance(found, AccessError)
    assert (f"no authority of ssl_cafile {other}" if own else "the system's (ssl_cafile is not set)") in str(found)


@pytest.mark.parametrize("shown", ["none", "a stranger's"])
async def test_a_broker_that_wants_a_certificate_is_told(tmp_path: Path, shown: str) -> None:
    """Whether none was shown, or one that it does not trust."""
    authority, stranger = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    stranger.issue("client", "client.test")
    mine: dict[str, Any] = {}
    if shown != "none":
        mine = {"ssl_certfile": str(stranger.both_of("client"))}
    with tls_server(authority.issue("broker", "127.0.0.1"), authority.file) as address:
        found = await refusal(address, security_protocol="SSL", ssl_cafile=str(authority.file), **mine)
    assert isinstance(found, AccessError)
    assert ("set ssl_certfile" if shown == "none" else str(stranger.both_of("client"))) in str(found)


async def test_tls_where_none_is_spoken_by_us_is_told() -> None:
    """Apache Kafka answers a client without TLS with an alert, which such a client takes for the size of an answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(bytes.fromhex("15030300020250"))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        found = await refusal(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert isinstance(found, AccessError)
    assert "speaks TLS" in str(found)


async def test_a_broker_that_is_away_is_no_matter_of_settings(unused_tcp_port: int) -> None:
    """Waiting may mend it."""
    found = await refusal(f"127.0.0.1:{unused_tcp_port}")
    assert type(found) is BrokerUnreachableError
    assert str(found).endswith("it cannot be reached (Connection refused)")


async def test_a_broker_that_lets_us_in_is_not_complained_of(broker: TestBroker) -> None:
    """Neither are those of its nodes that answer."""
    assert await find_refusal(Cluster.of(broker.address)) is None
