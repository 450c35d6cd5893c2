"""One deadline for all that a worker still does, and what ends the process when it is over."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time

import pytest

from streams.worker.shutdown import ShutdownDeadline
from tests.support.worker_process import ROOT


class Hand:
    """A clock turned by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_deadline_runs_from_its_first_beginning_on() -> None:
    """Before that all of it is left, after it is over nothing is."""
    clock = Hand()
    deadline = ShutdownDeadline(10.0, clock)
    clock.now_s += 50
    assert (deadline.spent_s, deadline.left_s()) == (0.0, 10.0)
    deadline.begin()
    clock.now_s += 3
    deadline.begin()
    assert (deadline.spent_s, deadline.left_s(), deadline.left_s(0.5)) == (3.0, 7.0, 2.0)
    clock.now_s += 30
    assert deadline.left_s() == 0.0


async def test_whoever_does_not_end_in_time_is_given_back(caplog: pytest.LogCaptureFixture) -> None:
    """The others have ended, and an error among them is in the log."""

    async def fails() -> None:
        raise OSError("gone")

    deadline = ShutdownDeadline(0.1)
    deadline.begin()
    (hanging,) = await deadline.wait([asyncio.Event().wait(), fails(), asyncio.sleep(0)], 0.5)
    assert not hanging.done()
    assert "gone" in caplog.text
    hanging.cancel()


PROGRAM = """
import sys, threading, time
from streams.worker.shutdown import ShutdownDeadline, Signals

def stop():
    print("told", flush=True)

signals = Signals(ShutdownDeadline(float(sys.argv[1])), stop, lambda: sys.argv[2:])
signals.install()
print("ready", flush=True)
threading.Thread(target=time.sleep, args=(60,)).start()  # the interpreter waits for it at its end
"""


class Told:
    """A process that does not end by itself within a minute."""

    def __init__(self, limit_s: float, *left: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(limit_s), *left],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Told:
        self.says("ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def says(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word

    def end(self) -> tuple[int, str]:
        _, stderr = self.process.communicate(timeout=300)
        return self.process.returncode, stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("left", "code"), [((), 0), (("3 decisions were not carried out",), 1)])
def test_a_process_that_hangs_ends_when_its_time_is_over(number: int, left: tuple[str, ...], code: int) -> None:
    """With 1 and what is left in the log, or with 0 where nothing is."""
    with Told(1.0, *left) as told:
        began_s = time.monotonic()
        told.process.send_signal(number)
        told.says("told")
        assert told.end()[0] == code
        assert time.monotonic() - began_s > 0.9


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(second: int) -> None:
    """Whatever is left."""
    with Told(3_600.0) as told:
        told.process.send_signal(signal.SIGTERM)
        told.says("told")
        told.process.send_signal(second)
        assert told.end() == (1, "told to stop twice: ending at once\n")
