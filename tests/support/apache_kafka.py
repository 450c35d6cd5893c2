"""Starts Apache Kafka from jars that Maven copied to .kafka/jars (see deploy/kafka/pom.xml)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from syncline.children import Child

ROOT = Path(__file__).parents[2]
POM = ROOT / "deploy" / "kafka" / "pom.xml"
JARS = ROOT / ".kafka" / "jars"
START_TIMEOUT_S = 60.0
SHM, ROOM_BYTES = Path("/dev/shm"), 8 << 30  # noqa: S108  # made by mkdtemp, as in any temporary folder
_CLUSTER_ID = "c3luY2xpbmUtdGVzdHMtMQ"  # any 16 bytes in base64
JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
PLAIN, CONTROLLER = "PLAINTEXT", "CONTROLLER"
"""The listeners that every node has: for clients without protection, and for the nodes among themselves."""
_STARTED = "Kafka Server started"
_LOG_START = "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info"


def fetch_jars() -> None:
    """Have Maven copy Kafka's jars (54 MB) where they are missing; a missing tool ends the session with its name."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if "java" in missing or (missing and not _have_jars()):
        raise pytest.UsageError(f"--apache-kafka needs a JDK 17 and Maven; not on the PATH: {', '.join(missing)}")
    if _have_jars():
        return
    shutil.rmtree(JARS, ignore_errors=True)  # two versions on one class path would mix
    done = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(POM), "package"], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0 or not _have_jars():
        raise pytest.UsageError(f"Maven could not fetch Apache Kafka: {(done.stdout + done.stderr)[-2000:]}")


def _have_jars() -> bool:
    version = _version()
    return all((JARS / f"{name}-{version}.jar").is_file() for name in ("kafka_2.13", "kafka-tools"))


def _version() -> str:
    return POM.read_text().split("<kafka.version>")[1].split("<")[0]


class ApacheKafka:
    """A KRaft cluster of `n_nodes` on this machine; data lie in a temporary folder until `remove`.

    settings: of each node, beside our own. doors: further listeners, protocol by name. advertised: by listener, the
    host name that the cluster gives its nodes there, where it is not 127.0.0.1. format_options: further arguments of
    Kafka's storage tool, such as users with their passwords. in_memory: keep data off the disk, where the machine has
    room for that: a disk that stands still for seconds, beside other load, costs topics their leaders.
    """

    def __init__(
        self,
        n_nodes: int = 1,
        settings: Mapping[str, str] | None = None,
        *,
        doors: Mapping[str, str] | None = None,
        advertised: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
        in_memory: bool = False,
    ) -> None:
        self._n_nodes = n_nodes
        self._settings = settings or {}
        self._format_options = format_options
        self._advertised = advertised or {}
        self._folder = Path(tempfile.mkdtemp(prefix="syncline-kafka-", dir=_memory_folder() if in_memory else None))
        self._protocols = {PLAIN: "PLAINTEXT", CONTROLLER: "PLAINTEXT", **(doors or {})}
        ports = iter(_free_ports(len(self._protocols) * n_nodes))
        self._ports = {name: [next(ports) for _ in range(n_nodes)] for name in self._protocols}
        self._nodes: dict[int, Child] = {}
        self._formatted = False

    @property
    def address(self) -> str:
        """Bootstrap addresses of all nodes, separated by commas."""
        return self.address_of(PLAIN)

    def address_of(self, door: str) -> str:
        """The same of a further listener."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports[door])

    def start(self) -> None:
        """Start the nodes that do not run, and return when each says that it has started."""
        if not self._formatted:
            self._format()
        # Of one that has run for long, the line that says so may be beyond what is looked at.
        to_start = [node for node in range(self._n_nodes) if node not in self._nodes]
        for node in to_start:
            self.start_node(node)
        for node in to_start:
            self._wait_started(node)

    def start_node(self, node: int) -> None:
        """Start one node without waiting for it."""
        if node not in self._nodes:
            command = ["java", *JVM, _LOG_START, "-cp", f"{JARS}/*", "kafka.Kafka", str(self._properties(node))]
            self._nodes[node] = Child(command)

    def stop(self, grace_s: float = 20.0) -> None:
        """End all nodes, cleanly within `grace_s` (0: kill); start brings them back with their records."""
        for node in list(self._nodes):
            self.stop_node(node, grace_s)

    def signal_node(self, node: int, number: int) -> None:
        """Send one running node a signal."""
        self._nodes[node].signal(number)

    def stop_node(self, node: int, grace_s: float = 20.0) -> None:
        """End one node."""
        child = self._nodes.pop(node, None)
        if child is not None:
            child.stop(grace_s)

    def remove(self) -> None:
        """Kill all nodes and remove their data."""
        self.stop(grace_s=0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _format(self) -> None:
        for node in range(self._n_nodes):
            self._properties(node).write_text(self._server_properties(node))
            command = ["java", *JVM, "-cp", f"{JARS}/*", "kafka.tools.StorageTool", "format"]
            command += [
                "--ignore-formatted",
                "-t",
                _CLUSTER_ID,
                "-c",
                str(self._properties(node)),
                *self._format_options,
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"Kafka could not format its folder: {done.stdout}{done.stderr}")
        self._formatted = True

    def _wait_started(self, node: int) -> None:
        child, deadline_s = self._nodes[node], time.monotonic() + START_TIMEOUT_S
        while _STARTED not in child.output(1 << 20):
            if child.returncode is not None or time.monotonic() > deadline_s:
                output = child.output()
                self.stop(grace_s=0)
                raise RuntimeError(f"Apache Kafka did not start: {output}")
            time.sleep(0.05)

    def _properties(self, node: int) -> Path:
        return self._folder / f"node{node}.properties"

    def _server_properties(self, node: int) -> str:
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(self._ports[CONTROLLER]))
        ports = {name: of_nodes[node] for name, of_nodes in self._ports.items()}
        n_copies = str(min(3, self._n_nodes))
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(node),
            "controller.quorum.voters": voters,
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
            "advertised.listeners": ",".join(
                f"{name}://{self._advertised.get(name, '127.0.0.1')}:{port}"
                for name, port in ports.items()
                if name != CONTROLLER
            ),
            "inter.broker.listener.name": PLAIN,
            "controller.listener.names": CONTROLLER,
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in self._protocols.items()),
            "log.dirs": str(self._folder / f"node{node}"),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": n_copies,
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": n_copies,
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": n_copies,
            "share.coordinator.state.topic.min.isr": "1",
            **({"broker.session.timeout.ms": "60000"} if self._n_nodes == 1 else {}),  # nobody could take over
            **self._settings,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def _memory_folder() -> Path | None:
    """A folder without a disk under it, where there is one with room."""
    return SHM if SHM.is_dir() and shutil.disk_usage(SHM).free > ROOM_BYTES else None


def _free_ports(n_ports: int) -> list[int]:
    probes = [socket.socket() for _ in range(n_ports)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
