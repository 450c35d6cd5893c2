"""What is done to the stack, step by step, and what must hold after each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.compose import events, state
from tests.compose.feed import Feed, syncline
from tests.compose.report import Step
from tests.compose.stack import PROJECT, Stack, docker, kill_all_inside, memory, n_restarts, now_s

Seen = tuple[bool, str]
"""Whether it held, and what was seen, in words."""

MAX_ERROR_LINES = 50
"""A worker may say so much of one restart of its broker."""
_FED = "the demo and each manifest with 0; of the one beside Kafka's restart the producer may have given up"
_SETTLE_LIMIT_S = 300.0
_VERIFY_LIMIT_S = 300.0
_POLL_S = 1.0
_WELL = "{} healthy; each owns a partition and reads"
_ONE_IDLE = "5 healthy; 4 own a partition and read"
_EACH_STOP = "; whoever is stopped ends with 0 within its grace"


class Scenario:
    """One run: a build, workers that come and go, a broker that restarts, everything stopped and started.

    stack: the project. folder: for manifests, logs of sends, and what the containers say (`containers.log`). tell: is
    given each step as it ends.
    """

    def __init__(self, stack: Stack, folder: Path, tell: Callable[[Step], None]) -> None:
        self._stack, self._folder, self._tell = stack, folder, tell
        self._feed = Feed(stack.address, folder)
        self._flowing, self._began_s = False, now_s()
        self.steps: list[Step] = []

    def run(self) -> None:
        """All steps, each whatever became of those before; without an image or workers there are no others."""
        self._step("the image is built", "`docker compose build` ends with 0", self._build)
        self._step("`up --scale worker=4`", "4 healthy; each owns a partition", partial(self._scale, 4))
        if all(step.held for step in self.steps):
            with self._stack.logged(self._folder / "containers.log", self._began_s):
                self._work()
            self._start_again()

    def _work(self) -> None:
        self._step("`/metrics`", "another container gets it by the name `worker`", self._metrics)
        with self._flow():
            self._step("the demo and a feed begin", "each worker reads", self._begin)
            self._step("kill -9 in one container", _WELL.format(4) + "; one restart", self._kill)
            for before, n_workers in ((4, 2), (2, 3), (3, 5)):
                must = (
                    _WELL.format(n_workers)
                    if n_workers <= state.N_PARTITIONS
                    else "5 healthy; 4 own a partition and read"
                )
                self._step(f"{before} → {n_workers} workers", must + _EACH_STOP, partial(self._scale, n_workers))
            must = f"workers healthy and reading; at most {MAX_ERROR_LINES} lines of errors each; none ends"
            self._step("`restart kafka`", must, self._restart_kafka)
            self._step("the feeds end", _FED, self._end)
        self._step("`syncline verify --finished`", "no violation", self._verify)
        self._step("memory", "each worker's peak is below its limit; nobody was killed for it", self._memory)
        self._step("`stop`", "all end with 0 (Kafka's JVM: 143) within their grace", self._stop)

    def _start_again(self) -> None:
        since_s = now_s()
        self._step("`start`", "5 healthy; 4 own a partition", self._start)
        with self._stack.logged(self._folder / "containers.log", since_s):
            self._step("`syncline verify --finished` again", "no violation", self._verify)
        self._step("the whole run", "only who was killed ended by itself; nobody was unhealthy", self._whole)

    def _step(self, what: str, must: str, see: Callable[[], Seen]) -> None:
        began_s = time.monotonic()
        try:
            held, seen = see()
        except Exception as error:  # what cannot be done is a step that failed, and the others are still told
            held, seen = False, " ".join(str(error).split())[-600:]
        seen = seen.replace(f"{PROJECT}-", "")
        took_s, load = time.monotonic() - began_s, os.getloadavg()[0]
        step = Step(what=what, must=must, seen=seen, held=held, took_s=took_s, load=load)
        self.steps.append(step)
        self._tell(step)

    @contextmanager
    def _flow(self) -> Generator[None]:
        with self._feed:
            self._flowing = True
            yield
        self._flowing = False

    def _build(self) -> Seen:
        self._stack("build", "worker", timeout_s=3_600)
        size = int(docker("image", "inspect", "--format", "{{.Size}}", "syncline:local"))
        return True, f"{size / 1e9:.1f} GB"

    def _scale(self, n_workers: int) -> Seen:
        n_before = len(events.stops(self._stack.events()))
        self._stack.up(n_workers)
        held, seen = self._checkpoint(n_workers)
        found = events.stops(self._stack.events())[n_before:]
        stopped = f"; stopped: {events.told(found)}" if found else ""
        return held and all(stop.clean for stop in found), seen + stopped

    def _metrics(self) -> Seen:
        page = self._stack.scraped_from_kafka()
        return "syncline_build_info" in page, f"{len(page.splitlines())} lines"

    def _begin(self) -> Seen:
        self._stack("--profile", "demo", "up", "--detach", "--no-build", "demo")
        return self._checkpoint(4)

    def _kill(self) -> Seen:
        victim = self._stack.containers("worker")[1].name
        kill_all_inside(victim)
        self._until(lambda: n_restarts(victim) > 0)
        held, seen = self._checkpoint(4)
        return held and n_restarts(victim) == 1, f"{victim}: {n_restarts(victim)} restart; {seen}"

    def _restart_kafka(self) -> Seen:
        since_s, n_before = now_s(), len(events.stops(self._stack.events()))
        self._stack("restart", "kafka")
        self._until(lambda: all(one.well for one in self._stack.containers("kafka")))
        held, seen = self._checkpoint(5)
        lines = self._stack.error_lines(since_s)
        quiet = max(lines.values(), default=0) <= MAX_ERROR_LINES
        found = events.stops(self._stack.events())[n_before:]
        clean = all(stop.clean for stop in found)
        return held and quiet and clean, f"{seen}; lines of errors: {sorted(lines.values())}; {events.told(found)}"

    def _end(self) -> Seen:
        self._feed.end()
        self._until(lambda: all(one.state == "exited" for one in self._stack.containers("demo")))
        demo = [one.exit_code for one in self._stack.containers("demo")]
        codes = self._feed.codes
        held = demo == [0] and len(codes) > 1 and sum(code != 0 for code in codes) <= 1
        said = f"; {self._feed.said}" if self._feed.said else ""
        return held, f"demo: {demo}; feed: {codes.count(0)} of {len(codes)} manifests with 0{said}"

    def _verify(self) -> Seen:
        """Until it finds nothing, or the time is up: what came last may still be worked on."""
        words = ["verify", "--brokers", self._stack.address, "--finished", "--json"]
        words += [word for log in self._feed.send_logs for word in ("--send-log", str(log))]
        deadline_s = time.monotonic() + _VERIFY_LIMIT_S
        while True:
            done = syncline(*words)
            if done.returncode == 0 or time.monotonic() > deadline_s:
                break
            time.sleep(_POLL_S)
        return done.returncode == 0, state.verdict(done.stdout) if done.stdout else done.stderr[-600:]

    def _memory(self) -> Seen:
        peaks = {one.name: memory(one.name) for one in self._stack.containers("worker")}
        killed = [event["Actor"]["Attributes"]["name"] for event in self._stack.events() if event["Action"] == "oom"]
        below = all(peak < limit for peak, limit in peaks.values())
        most, limit = max(peaks.values())
        seen = f"at most {most / 2**20:.0f} of {limit / 2**20:.0f} MiB"
        return below and not killed, seen + (f"; killed: {killed}" if killed else "")

    def _stop(self) -> Seen:
        n_before = len(events.stops(self._stack.events()))
        self._stack("stop")
        found = events.stops(self._stack.events())[n_before:]
        return len(found) == 6 and all(stop.clean for stop in found), events.told(found)

    def _start(self) -> Seen:
        self._stack("start", "kafka", "worker")
        return self._checkpoint(5)

    def _whole(self) -> Seen:
        happened = self._stack.events()
        ended = [one for one in events.ended_by_themselves(happened) if not one.endswith(": 0")]
        sick = events.unhealthy(happened)
        return len(ended) == 1 and not sick, f"ended: {ended}; unhealthy: {sick or 'none'}; stops: " + events.told(
            events.stops(happened)
        )

    def _checkpoint(self, n_workers: int) -> Seen:
        """Wait until so many workers are well and share the partitions, and, while media flow, until each reads."""
        began_s = time.monotonic()
        held: dict[str, state.Work] = {}

        def well() -> bool:
            nonlocal held
            running = [one for one in self._stack.containers("worker") if one.state == "running"]
            if len(running) != n_workers or not all(one.well for one in running):
                return False
            held = self._stack.workers()
            return len(held) == n_workers and state.shared_out(held)

        settled = self._until(well)
        seen = f"{state.spread(held if settled else self._stack.workers())} after {time.monotonic() - began_s:.0f} s"
        if not settled:
            how = [f"{one.name} {one.state} {one.health}" for one in self._stack.containers("worker")]
            return False, f"{seen}: {', '.join(how)}"
        if not self._flowing:
            return True, seen
        reading = self._until(lambda: not state.idle(held, self._stack.workers()))
        return reading, seen + (", all read" if reading else f"; idle: {state.idle(held, self._stack.workers())}")

    def _until(self, condition: Callable[[], bool]) -> bool:
        deadline_s = time.monotonic() + _SETTLE_LIMIT_S
        while not condition():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_POLL_S)
        return True
