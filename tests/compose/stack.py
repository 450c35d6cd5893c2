"""One compose project on a Docker engine: what its commands do, and what its containers say."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.compose import events, state

ROOT = Path(__file__).parents[2]
PROJECT = "syncline-compose-test"
_PAGE = "exec 3<>/dev/tcp/{host}/6066 && printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"


def docker(*words: str, timeout_s: float = 120) -> str:
    """What `docker WORDS` prints; `RuntimeError` with all that it said where it fails."""
    return _run(["docker", *words], None, timeout_s)


def _run(command: Sequence[str], environment: dict[str, str] | None, timeout_s: float) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=timeout_s, env=environment, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


class Stack:
    """The services of docker-compose.yml in a project of its own, the broker at a port of its own on this machine.

    compose: the words that start compose v2. overrides: files over docker-compose.yml. port: of the broker.
    """

    def __init__(self, compose: Sequence[str], overrides: Sequence[Path], port: int) -> None:
        files = [ROOT / "docker-compose.yml", *overrides]
        self._base = [*compose, "--project-name", PROJECT, "--project-directory", str(ROOT)]
        self._base += [word for file in files for word in ("--file", str(file))]
        self._environment = os.environ | {"KAFKA_PORT": str(port)}
        self._events = tempfile.NamedTemporaryFile("r", encoding="utf-8")  # noqa: SIM115  closed by watched()
        self.address = f"127.0.0.1:{port}"

    def __call__(self, *words: str, timeout_s: float = 300) -> str:
        """What `docker compose WORDS` prints."""
        return _run([*self._base, *words], self._environment, timeout_s)

    @contextmanager
    def logged(self, file: Path, since_s: float) -> Generator[None]:
        """Add to a file what the containers say since a moment, those too that come later or go.

        Some must run when it begins: it ends with the last of them.
        """
        with file.open("a", encoding="utf-8") as opened:
            command = [*self._base, "logs", "--no-color", "--timestamps", "--follow", "--since", f"{since_s:.0f}"]
            following = subprocess.Popen(command, stdout=opened, stderr=subprocess.STDOUT, env=self._environment)
            try:
                yield
            finally:
                following.terminate()
                following.wait()

    @contextmanager
    def watched(self) -> Generator[None]:
        """Keep the engine's events of this project's containers, for `events`."""
        command = ["docker", "events", "--format", "{{json .}}", "--filter", "type=container"]
        command += ["--filter", f"label=com.docker.compose.project={PROJECT}"]
        with self._events, open(self._events.name, "w", encoding="utf-8") as file:
            watching = subprocess.Popen(command, stdout=file)
            try:
                yield
            finally:
                watching.terminate()
                watching.wait()

    def events(self) -> list[dict[str, Any]]:
        """All that happened to the containers so far."""
        self._events.seek(0)
        return events.parse(self._events)

    def up(self, n_workers: int, timeout_s: float = 300) -> None:
        """Have so many workers, their topics and their broker."""
        self("up", "--detach", "--no-build", "--scale", f"worker={n_workers}", timeout_s=timeout_s)

    def containers(self, service: str) -> list[state.Container]:
        """The service's containers, those that have ended too."""
        return state.containers(self("ps", "--all", "--format", "json", service))

    def workers(self) -> dict[str, state.Work]:
        """What each running worker has to do, by container; without those that do not answer yet."""
        found: dict[str, state.Work] = {}
        for one in self.containers("worker"):
            if one.state == "running":
                try:
                    found[one.name] = state.work(docker("exec", one.name, "bash", "-c", _PAGE.format(host="127.0.0.1")))
                except RuntimeError:
                    continue
        return found

    def scraped_from_kafka(self) -> str:
        """A worker's /metrics, asked for from the broker's container, by the service's name."""
        return self("exec", "-T", "kafka", "bash", "-c", _PAGE.format(host="worker"))

    def error_lines(self, since_s: float) -> dict[str, int]:
        """Lines of errors in each worker's log since a moment of this machine's clock."""
        return {
            one.name: state.error_lines(self._log(one.name, since_s).splitlines()) for one in self.containers("worker")
        }

    def _log(self, container: str, since_s: float) -> str:
        done = subprocess.run(
            ["docker", "logs", "--since", f"{since_s:.3f}", container],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    def down(self) -> None:
        """Take everything of the project away, its volume too."""
        self("--profile", "demo", "down", "--volumes", "--remove-orphans", "--timeout", "15")


def memory(container: str) -> tuple[int, int]:
    """The most memory that a container has had, and its limit, in bytes; 0 where the kernel does not tell."""
    places = "/sys/fs/cgroup/memory/memory.max_usage_in_bytes /sys/fs/cgroup/memory.peak"
    told = docker("exec", container, "bash", "-c", f"cat {places} 2>/dev/null || true").split()
    limit = json.loads(docker("inspect", "--format", "{{json .HostConfig.Memory}}", container))
    return int(told[0]) if told else 0, limit


def kill_all_inside(container: str) -> None:
    """kill -9 of everything in a container, as the kernel would when memory is short.

    `docker kill` would not do: the engine takes it for a wish, and does not start the container anew.
    """
    subprocess.run(["docker", "exec", container, "bash", "-c", "kill -9 -1"], check=False, timeout=60)


def n_restarts(container: str) -> int:
    """How often the engine has started a container anew by its restart policy."""
    return int(docker("inspect", "--format", "{{.RestartCount}}", container))


def now_s() -> float:
    """The clock that the engine's logs go by."""
    return time.time()
