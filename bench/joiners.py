"""The joiners that bench/join.py compares: how to build and start them, and read their results."""

from __future__ import annotations

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from bench.records import ID_DIGITS
from syncline.wire.contract import FUSED
from syncline.wire.results import decode_fused

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache"
QUIX_VERSION = "3.28.1"
TOLERANCE_MS = 45


class Joiner(ABC):
    """One program that reads `media.*` of a prefix and writes one result a moment."""

    name: str

    def build(self) -> str:
        """Make it ready to start; return its version."""
        return "this tree"

    def output(self, prefix: str) -> str:
        """The topic that it writes to."""
        return f"{prefix}{self.name}"

    @abstractmethod
    def command(self, brokers: str, prefix: str, state: Path) -> list[str]:
        """Return the command of one process; `state` is an empty folder."""

    def env(self, prefix: str) -> dict[str, str]:  # noqa: ARG002  the others take it as an argument
        """Its environment."""
        return dict(os.environ)

    def moments(self, value: bytes) -> tuple[int, ...]:
        """Return the moments of a result's members: three times the same number if it is right."""
        return tuple(int(value[at : at + ID_DIGITS]) for at in range(0, len(value), ID_DIGITS))


class SynclineJoiner(Joiner):
    """One worker with the null model."""

    name = "syncline"

    def output(self, prefix: str) -> str:
        """Its results."""
        return prefix + FUSED

    def command(self, brokers: str, prefix: str, state: Path) -> list[str]:  # noqa: ARG002  it keeps no state
        """`syncline worker`."""
        options = ["--brokers", brokers, "--model", "null", "--web-port", "0"]
        return [sys.executable, "-m", "syncline", "worker", *options]

    def env(self, prefix: str) -> dict[str, str]:
        """Return settings without a command-line flag."""
        return {**os.environ, "SYNCLINE_TOPIC_PREFIX": prefix, "SYNCLINE_GROUP": f"{prefix}syncline"}

    def moments(self, value: bytes) -> tuple[int, ...]:
        """Return the members' ids, which are their moments."""
        return tuple(int(member.event_id) for member in decode_fused(value).members)


class KafkaStreams(Joiner):
    """bench/kafka-streams, as it comes: one stream thread, RocksDB, changelogs."""

    name = "kafka-streams"
    _folder = ROOT / "bench" / "kafka-streams"
    _built = CACHE / "kafka-streams"

    def build(self) -> str:
        """Build it with Maven."""
        subprocess.run(["mvn", "-q", "-B", "-f", str(self._folder / "pom.xml"), "package"], check=True)
        return (self._folder / "pom.xml").read_text().split("<kafka.version>")[1].split("<")[0]

    def command(self, brokers: str, prefix: str, state: Path) -> list[str]:
        """A JVM of its own."""
        classes = f"{self._built / 'join.jar'}:{self._built / 'jars'}/*"
        log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        arguments = [brokers, prefix, self.output(prefix), str(state), str(TOLERANCE_MS)]
        return ["java", log, "-cp", classes, "syncline.Join", *arguments]


class Quix(Joiner):
    """bench/quix_join.py, as it comes: RocksDB, changelogs."""

    name = "quix-streams"
    _python = CACHE / "quix" / "bin" / "python"

    def build(self) -> str:
        """Install it into its own environment."""
        if not self._python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(CACHE / "quix")], check=True)
            wanted = f"quixstreams=={QUIX_VERSION}"
            subprocess.run([str(self._python), "-m", "pip", "install", "-q", wanted], check=True)
        return QUIX_VERSION

    def command(self, brokers: str, prefix: str, state: Path) -> list[str]:
        """A Python of its own."""
        arguments = [brokers, prefix, self.output(prefix), str(state), str(TOLERANCE_MS)]
        return [str(self._python), "-W", "ignore", str(ROOT / "bench" / "quix_join.py"), *arguments]


JOINERS: dict[str, type[Joiner]] = {joiner.name: joiner for joiner in (SynclineJoiner, KafkaStreams, Quix)}
