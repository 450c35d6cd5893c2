"""Child processes that never outlive their parent.

Each child has its own session, so that a terminal's Ctrl-C does not stop a broker before its workers. A guard, a small
shell that reads a pipe from us, kills the child if we die: the system closes the pipe then, whatever killed us.
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
    """A process in its own session. Its output goes to an unnamed file, since a pipe could fill up."""

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
        # Its own session as well: it ends by its pipe or by stop(), not by our signals.
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "sh", str(self.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while the process runs."""
        return self._process.poll()

    def output(self, max_bytes: int = 8192) -> str:
        """Return the last `max_bytes` of stdout and stderr."""
        if self._output.closed:
            return ""
        # pread does not move the offset, which the child shares.
        size = os.fstat(self._output.fileno()).st_size
        start = max(0, size - max_bytes)
        return os.pread(self._output.fileno(), size - start, start).decode("utf-8", "replace")

    def signal(self, number: int) -> None:
        """Send a signal to the process and its descendants; do nothing if it has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the process to end, and return its exit code. Raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout_s)

    def end(self, grace_s: float = 5.0) -> None:
        """Send SIGTERM, and SIGKILL after `grace_s` (0: at once). The output stays readable until `stop`."""
        if grace_s > 0:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        self.signal(signal.SIGKILL)
        self._process.wait()

    def stop(self, grace_s: float = 5.0) -> None:
        """End the process as `end` does and release its resources. May be called again."""
        self.end(grace_s)
        self._end_guard()
        self._output.close()

    def _end_guard(self) -> None:
        # Now, before another process may get the child's id and be killed in its place.
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
