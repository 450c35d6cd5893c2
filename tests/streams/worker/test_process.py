"""streams/worker/process.py: a worker's process ends when all is said, with the right code, however long it takes
down.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support.worker_process import ROOT

PROGRAM = """
import atexit, sys, threading, time
import streams.worker.worker
from syncline.cli import main

atexit.register(time.sleep, 100)                      # torch's teardown takes seconds
threading.Thread(target=time.sleep, args=(100,)).start()  # and the interpreter waits for threads
if "--broken" in sys.argv:
    sys.argv.remove("--broken")
    async def fail(*_): raise RuntimeError("nobody foresaw this")
    streams.worker.worker.load_model = fail
sys.stdout.write("not flushed")
main(["worker", "--brokers", "127.0.0.1:1", *sys.argv[1:]])
"""
LIMIT_S = 300.0


@pytest.fixture
def start() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are killed at the end."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def begin(started: list[subprocess.Popen[str]], *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    started.append(process)
    return process


def test_a_worker_that_is_stopped_is_gone_when_it_says_so(start: list[subprocess.Popen[str]]) -> None:
    """With code 0, and all that was written is out; nothing of the deadline is waited for."""
    process = begin(start, "--stop-limit-ms", "600000")
    assert process.stderr is not None
    while "health: " not in (line := process.stderr.readline()):
        assert line, "it has ended"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (0, "not flushed")
    assert "stopped in" in err.splitlines()[-1]


def test_a_setting_that_is_wrong_keeps_its_code_and_its_line(start: list[subprocess.Popen[str]]) -> None:
    """Which is the last on stderr."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = begin(start, "--web-port", str(port))
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (2, "not flushed")
    assert err.splitlines()[-1].startswith(f"syncline: web_port: got {port}")


def test_an_error_that_nobody_foresaw_is_1_and_a_traceback(start: list[subprocess.Popen[str]]) -> None:
    """As without the shorter way out."""
    process = begin(start, "--broken")
    out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (1, "not flushed")
    assert err.splitlines()[-1] == "RuntimeError: nobody foresaw this"
    assert "Traceback" in err


def test_nobody_reading_what_it_says_does_not_hold_it(start: list[subprocess.Popen[str]]) -> None:
    """A pipe that is full makes its writer wait, for ever if nobody empties it."""
    process = begin(start, "--stop-limit-ms", "1000")
    assert process.stderr is not None
    while "health: " not in (line := process.stderr.readline()):
        assert line, "it has ended"
    fill(process.stderr.fileno(), process.pid)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_S) in (0, 1)


def fill(ours: int, pid: int) -> None:
    """Write into the pipe behind another process' stderr until it takes no more."""
    theirs = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    deadline_s = time.monotonic() + LIMIT_S
    try:
        while time.monotonic() < deadline_s:
            os.write(theirs, b"x" * 4096)
    except BlockingIOError:
        pass
    finally:
        os.close(theirs)
