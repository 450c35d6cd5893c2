"""Child processes that never outlive the process that started them.

A terminal's Ctrl-C must not reach a broker before the workers are done with it, so each child has a session of its
own; then nothing would end it when we are killed ourselves. A guard (a shell of a few KB that waits at the far end of
a pipe) does: the system closes the pipe when we are gone, however that came about.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_GUARD = 'cat >/dev/null; kill -KILL -"$1" 2>/dev/null'


class Child:
    """A process in a session of its own; its output is kept in an unnamed file, never in a pipe that could fill."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except BaseException:
            self._output.close()
            raise
        self.pid = self._process.pid
        # The guard ignores us and is ignored by us: it ends by its pipe, or by stop().
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "sh", str(self.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while the process runs."""
        return self._process.poll()

    def output(self, max_bytes: int = 8192) -> str:
        """Return the end of what the process wrote to stdout and stderr, at most `max_bytes` of it."""
        if self._output.closed:
            return ""
        # pread leaves the offset alone, which the child shares with us.
        size = os.fstat(self._output.fileno()).st_size
        start = max(0, size - max_bytes)
        return os.pread(self._output.fileno(), size - start, start).decode("utf-8", "replace")

    def signal(self, number: int) -> None:
        """Send a signal to the process and all that it started; nothing happens when it has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the process to end and return its exit code; raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout_s)

    def end(self, grace_s: float = 5.0) -> None:
        """End the process: SIGTERM, and SIGKILL after `grace_s` (0: at once). Its output can be read until `stop`."""
        if grace_s > 0:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        self.signal(signal.SIGKILL)
        self._process.wait()

    def stop(self, grace_s: float = 5.0) -> None:
        """End the process as `end` does, and let go of all that it needed. May be called again."""
        self.end(grace_s)
        self._end_guard()
        self._output.close()

    def _end_guard(self) -> None:
        # Before anything else may take the child's number: a guard that woke later would kill a stranger.
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
