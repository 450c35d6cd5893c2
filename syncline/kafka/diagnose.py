"""Finds out why a broker refuses a client: aiokafka only raises that it cannot bootstrap.

Connects as aiokafka does, to each bootstrap address and then to each node's address, and turns the first fault into one
line that says what to do.
"""

# pyright: reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Iterator
from typing import Any

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import (
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from syncline.errors import AccessError, BrokerError, BrokerUnreachableError
from syncline.kafka.cluster import Cluster
from syncline.kafka.security import SecuritySettings

LIMIT_S = 5.0
"""Limit for each address; a broker that does not answer in time says nothing about settings."""
ALERT_S = 0.3
"""How long to wait for a refusal after the handshake."""
CLOSE_S = 0.2
"""Limit for closing a connection."""
_EXPIRED, _NOT_YET = 10, 9  # OpenSSL's X509_V_ERR_ codes, which are part of its interface
_NO_AUTHORITY = (2, 18, 19, 20, 21)
_OTHER_NAME = (62, 64)
_TLS_ALERT = 0x1503
"""The start of a TLS alert, which a client without TLS reads as a response's size."""


async def find_refusal(cluster: Cluster) -> BrokerError | None:
    """Return what keeps us out, an `AccessError` if settings or certificates are wrong; None if nothing is found."""
    tried = await _try_all(cluster, [(host, port) for host, port, _ in collect_hosts(cluster.brokers)])
    if not all(isinstance(found, BaseException) for found in tried.values()):
        nodes = {node for found in tried.values() if not isinstance(found, BaseException) for node in found}
        tried |= await _try_all(cluster, sorted(nodes - tried.keys()))
    told = [
        line
        for (host, port), found in tried.items()
        if isinstance(found, BaseException) and (line := explain(f"{host}:{port}", found, cluster.security))
    ]
    return next((line for line in told if isinstance(line, AccessError)), next(iter(told), None))


async def _try_all(cluster: Cluster, addresses: list[Any]) -> dict[Any, Any]:
    found = await asyncio.gather(*(_knock(cluster, *address) for address in addresses), return_exceptions=True)
    return dict(zip(addresses, found, strict=True))


async def _knock(cluster: Cluster, host: str, port: int) -> list[tuple[str, int]]:
    """Connect, authenticate and ask for the cluster's nodes, (host, port) each. Raises what goes wrong."""
    context = cluster.options.get("ssl_context")
    if context is not None:
        await _shake_hands(host, port, context)
    connection: Any = AIOKafkaConnection(host, port, client_id="syncline-probe", **cluster.options)
    try:
        async with asyncio.timeout(LIMIT_S):
            await connection.connect()
            answer = await connection.send(MetadataRequest([]))
    finally:
        await asyncio.wait([connection.close()], timeout=CLOSE_S)
    return [(node[1], node[2]) for node in answer.brokers]


async def _shake_hands(host: str, port: int, context: ssl.SSLContext) -> None:
    # In TLS 1.3 a broker refuses our certificate after the handshake. Read before writing anything: writing to a closed
    # connection causes a reset, which may overtake the reason.
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        await asyncio.wait_for(reader.read(1), ALERT_S)
    except TimeoutError:
        pass  # nothing was refused
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), CLOSE_S)


def explain(address: str, error: BaseException, security: SecuritySettings) -> BrokerError | None:
    """Explain a connection's error in one line; None if it says nothing about access."""
    for cause in _causes(error):
        line = _of_certificate(cause, security) or _of_sasl(cause, security) or _of_protocol(cause, security)
        if line is not None:
            kind, text = line
            return kind(f"broker {address}: {text}")
    return None


_Line = tuple[type[BrokerError], str]


def _of_certificate(error: BaseException, security: SecuritySettings) -> _Line | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return AccessError, _of_theirs(error, security)
    reason = str(getattr(error, "reason", "") or "") if isinstance(error, ssl.SSLError) else ""
    if "ALERT" not in reason or not ("CERT" in reason or "UNKNOWN_CA" in reason):
        return None
    if not security.ssl_certfile:
        return AccessError, "it wants a certificate of this client; set ssl_certfile and ssl_keyfile"
    alert = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
    return AccessError, (
        f"it refuses this client's certificate, ssl_certfile {security.ssl_certfile} ({alert}); one is needed that has "
        f"not expired and is by an authority that it trusts: openssl x509 -noout -issuer -dates -in "
        f"{security.ssl_certfile}"
    )


def _of_theirs(error: ssl.SSLCertVerificationError, security: SecuritySettings) -> str:
    code, message = error.verify_code, error.verify_message.rstrip(".")
    if code == _EXPIRED:
        return "its certificate has expired; renew it at the broker, or set this machine's clock"
    if code == _NOT_YET:
        return "its certificate is not valid yet; set this machine's clock, or the broker's when it is issued"
    if code in _OTHER_NAME:
        return f"its certificate is for another name ({message}); use a name in brokers that it is for, or renew it"
    if code in _NO_AUTHORITY:
        where = f"ssl_cafile {security.ssl_cafile}" if security.ssl_cafile else "the system's (ssl_cafile is not set)"
        return f"its certificate is by no authority of {where}; set ssl_cafile to the file of the broker's authority"
    return f"its certificate cannot be trusted ({message}); renew it at the broker"


def _of_sasl(error: BaseException, security: SecuritySettings) -> _Line | None:
    if isinstance(error, SaslAuthenticationFailed):
        return AccessError, (
            f"it does not know user {security.sasl_username!r} with this password ({security.sasl_mechanism}); check "
            "sasl_username, and sasl_password_file or SYNCLINE_SASL_PASSWORD"
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return AccessError, f"it does not take sasl_mechanism {security.sasl_mechanism}; set one that it takes"
    if isinstance(error, IllegalSaslStateError):
        without = "SSL" if security.uses_tls else "PLAINTEXT"
        return AccessError, f"it asks for no user at this port; set security_protocol to {without}, or another port"
    return None


def _of_protocol(error: BaseException, security: SecuritySettings) -> _Line | None:
    protocol = security.security_protocol
    if isinstance(error, asyncio.IncompleteReadError):
        if not security.uses_tls and (error.expected or 0) >> 16 == _TLS_ALERT:
            return AccessError, f"it speaks TLS at this port, and security_protocol is {protocol}; set SSL or SASL_SSL"
        if not security.uses_sasl and not error.partial:
            return (
                BrokerUnreachableError,
                f"it hung up; does this port want a user, where security_protocol is {protocol}?",
            )
    if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return AccessError, f"it does not speak TLS at this port, and security_protocol is {protocol}; set another port"
    if isinstance(error, ConnectionResetError) and security.uses_tls:
        return (
            BrokerUnreachableError,
            f"it hung up; does it speak TLS at this port, as security_protocol {protocol} says?",
        )
    if isinstance(error, ssl.SSLError):
        return BrokerUnreachableError, f"TLS fails ({error.reason or error})"
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return BrokerUnreachableError, f"it cannot be reached ({_plainly(error)})"
    return None


def _plainly(error: OSError) -> str:
    # asyncio's message repeats the address as a tuple.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
