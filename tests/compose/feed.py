"""Media that flow for as long as a run takes, from this machine through the published port."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from tests.compose.stack import ROOT

N_STREAMS = 8
"""door-0 to door-7 lie in all four partitions."""


class Feed:
    """Sends the demo's samples, one manifest of `SECONDS` after the other, until the block ends.

    address: of the broker. folder: for manifests and the logs of sends.
    """

    SECONDS = 30

    def __init__(self, address: str, folder: Path) -> None:
        self._address, self._folder = address, folder
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.codes: list[int] = []
        self.said = ""

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Send the manifest under way to its end, and no other."""
        self._end.set()
        self._thread.join()

    @property
    def send_logs(self) -> list[Path]:
        """One for each manifest."""
        return sorted(self._folder.glob("sends-*.jsonl"))

    def _run(self) -> None:
        while not self._end.is_set():
            number = len(self.codes)
            manifest = self._folder / f"manifest-{number}.jsonl"
            manifest.write_text(_manifest(self.SECONDS), encoding="utf-8")
            words = ["produce", str(manifest), "--brokers", self._address]
            words += ["--send-log", str(self._folder / f"sends-{number:04}.jsonl")]
            done = syncline(*words)
            self.codes.append(done.returncode)
            if done.returncode != 0:
                self.said += done.stderr.strip().rpartition("\n")[2]


def _manifest(seconds: int) -> str:
    """The demo's manifest, under other names than the demo's own streams have."""
    command = [sys.executable, "examples/make_manifest.py", "--streams", str(N_STREAMS), "--seconds", str(seconds)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return made.replace('"camera-', '"door-')


def syncline(*words: str) -> subprocess.CompletedProcess[str]:
    """`syncline WORDS` of this checkout, to its end."""
    command = [sys.executable, "-m", "syncline", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
