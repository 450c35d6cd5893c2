"""A world for the owner of one partition number: brokers, a group, workers that crash, freeze and thaw.

Everything is driven by one random generator, so a seed replays a run. The world holds what would be on a broker
(media topics, decision log, committed offsets, outputs). Each step is one small thing that one worker does; faults
happen between any two. At the end comes peace: no faults, and time passes until nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from streams.decisions.entries import FormerPlacement
from streams.decisions.records import Commands, Record, Rejected
from streams.join.settings import JoinSettings
from tests.support.faults import PEACE, Faults
from tests.support.invariants import broken_invariants, wrongly_acknowledged, wrongly_placed
from tests.support.outputs import Key, Output
from tests.support.sim_worker import SimWorker

PATIENCE_STEPS = 100
"""In peace: after so many steps without progress time jumps, so that timers fire."""


@dataclass
class World:
    """What is on the broker, and who is in the group. `media` may hold None: an offset without a record.

    `other`: what half of the workers have for settings, as while people roll from one to the other.
    """

    media: dict[str, list[Record | None]]
    settings: JoinSettings
    random: Random
    faults: Faults = field(default_factory=Faults)
    fetch: int = 5
    max_steps: int = 2_500
    now_ms: int = 1_000_000
    other: JoinSettings | None = None

    def __post_init__(self) -> None:
        self.produced = dict.fromkeys(self.media, 0)
        self.committed = dict.fromkeys(self.media, 0)
        self.fresh = set(self.media)
        self.n_partitions = 1
        self.grown: list[FormerPlacement] = []
        self.media_start = dict.fromkeys(self.media, 0)
        self.ever_read = dict.fromkeys(self.media, 0)
        self.spoilt: set[tuple[str, int]] = set()
        self.log: list[bytes] = []
        self.log_start = 0
        self.lowest_read = 2**63
        self.late: list[bytes] = []
        self.outputs: list[Output] = []
        self.has_outcome: set[Key] = set()
        self.workers: list[SimWorker] = []
        self.current: SimWorker | None = None
        self.generation = self.n_workers = self.outage_left = self.appends_down_left = self.max_held = 0
        self.problems: list[str] = []
        self.faults_touched_media = self.faults.touches_media

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return probability > 0 and self.random.random() < probability

    # --- the broker ------------------------------------------------------------------------------------------------

    def append(self, data: bytes) -> bool:
        """An append to the decision log; False where its writer is told that it failed."""
        if self.appends_down_left or self.chance(self.faults.append_lost):
            return False
        if self.chance(self.faults.append_late):
            self.late.append(data)
            return False
        self.log.append(data)
        if self.chance(self.faults.append_twice):
            if self.chance(0.5):
                return False  # it is there, but the answer was lost: it will come again
            self.late.append(data)
        return True

    def put(self, outputs: Iterable[Output]) -> None:
        """Outputs are on the broker."""
        for output in outputs:
            self.outputs.append(output)
            self.has_outcome.update(output.members)

    def deliver(self, worker: SimWorker, topic: str) -> None:
        """What one poll brings: some records of one topic, then how far they reach, gaps included."""
        start = max(worker.positions[topic], self.media_start[topic])
        stop = min(self.produced[topic], start + self.random.randint(0, self.fetch))
        if stop < worker.positions[topic]:
            return
        again = self.random.randint(0, 2) if self.chance(0.05) else 0  # delivered twice, as after a seek
        records = [self._as_read(topic, n) for n in range(max(self.media_start[topic], start - again), stop)]
        if len(self.problems) < 20:
            self.problems += wrongly_placed(self, worker, topic, range(start, stop))
        worker.owner.on_records(topic, [record for record in records if record is not None], self.now_ms)
        worker.owner.on_position(topic, stop, self.now_ms)
        worker.positions[topic] = stop
        self.ever_read[topic] = max(self.ever_read[topic], stop)

    def _as_read(self, topic: str, offset: int) -> Record | None:
        record = self.media[topic][offset]
        if record is not None and record.rejected is None and (topic, offset) in self.spoilt:
            return record._replace(rejected=Rejected("undecodable"))
        return record

    def on_commands(self, worker: SimWorker, commands: Commands) -> None:
        """Watch what an owner asks for, at the moment at which it asks."""
        if len(self.problems) < 20:
            self.problems += wrongly_acknowledged(self, commands)
            self.problems += broken_invariants(self, worker)

    # --- the group -------------------------------------------------------------------------------------------------

    def assign(self) -> None:
        """A new generation: a new worker owns the partition; the one before it may not know yet."""
        self.generation += 1
        self.n_workers += 1
        self.current = SimWorker(self, f"w{self.n_workers}", self.generation)
        self.workers.append(self.current)
        if len(self.workers) > 4:
            self.workers.pop(0)

    def crash(self, worker: SimWorker) -> None:
        """A process ends, with all that it had not sent."""
        self.workers.remove(worker)
        if self.current is worker:
            self.assign()

    # --- running ---------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One thing happens."""
        self.now_ms += self.random.randint(0, 20)
        self.outage_left = max(0, self.outage_left - 1)
        self.appends_down_left = max(0, self.appends_down_left - 1)
        for topic, records in self.media.items():
            if self.produced[topic] < len(records):
                self.produced[topic] += self.random.randint(0, 1)
        if self.faults is not PEACE:
            self._inject()
        if self.late and self.chance(0.1):
            self.log.append(self.late.pop(self.random.randrange(len(self.late))))
        running = [worker for worker in self.workers if not worker.frozen]
        if running:
            worker = self.random.choice(running)
            self.random.choice(worker.actions())()

    def _inject(self) -> None:
        faults = self.faults
        if self.chance(faults.outage):
            self.outage_left = faults.lasts_steps
        if self.chance(faults.appends_down):
            self.appends_down_left = faults.lasts_steps
        if self.chance(faults.delete_group):
            self.generation = 0
            self.assign()
        if self.chance(faults.forget_commits):
            self.generation, self.committed, self.fresh = 0, dict(self.media_start), set(self.media)
            self.assign()
        if self.chance(faults.rebalance):
            self.assign()
        # What nobody has claimed by, nobody can know: the topics grow again once a worker has seen that they did.
        if (
            self.chance(faults.grow)
            and self.current
            and self.current.recovered
            and self.current.n_partitions == self.n_partitions
        ):
            self.grown.append(FormerPlacement(self.n_partitions, dict(self.produced)))
            self.n_partitions += 1
        if self.chance(faults.retention):
            topic = self.random.choice(list(self.media))
            self.media_start[topic] = self.random.randint(self.media_start[topic], self.ever_read[topic])
        if self.chance(faults.spoil):
            topic = self.random.choice(list(self.media))
            self.spoilt.add((topic, self.random.randint(0, self.ever_read[topic])))
        if self.chance(faults.cut_log):
            self._cut_log()
        for worker in list(self.workers):
            if self.chance(faults.crash):
                self.crash(worker)
            elif not worker.frozen and self.chance(faults.freeze):
                worker.frozen = True
                if worker is self.current:
                    self.assign()  # its session ended; it will come back late
            elif worker.frozen and self.chance(faults.thaw):
                worker.frozen = False

    def _cut_log(self) -> None:
        # Retention is longer than the media's, so it never takes what a recovery from the committed offsets reads:
        # another recovery, by somebody who was just assigned and fails at once, shows how far back that is.
        if self.current is None or not self.current.recovered:
            return
        self.lowest_read = 2**63
        probe = SimWorker(self, "probe", self.generation)
        self.workers.append(probe)
        probe.recover()
        self.workers.remove(probe)
        if self.lowest_read < len(self.log):
            self.log_start = max(self.log_start, self.lowest_read)

    def run(self) -> World:
        """Faults for a while, then peace until nothing is left to do."""
        self.assign()
        goal = self.random.uniform(0.3, 1.1) * sum(self.ends.values())
        for _ in range(self.max_steps):
            self.step()
            if sum(self.committed.values()) >= goal:
                break
        self.make_peace()
        return self

    def _has_left_over(self) -> bool:
        """Whether a set waits to fail of which no record is left: that moves no committed offset."""
        return bool(self.fresh) and self.current is not None and self.current.owner.in_flight.held.events > 0

    @property
    def ends(self) -> dict[str, int]:
        """Per topic the offset past its last record."""
        return {topic: len(records) for topic, records in self.media.items()}

    def make_peace(self) -> None:
        """No more faults; time jumps whenever nothing moves, so that timers fire."""
        self.faults, self.outage_left, self.appends_down_left = PEACE, 0, 0
        for worker in self.workers:
            worker.frozen = False
        before, since = dict(self.committed), 0
        for n_steps in range(40_000):
            self.step()
            since += 1
            if n_steps == 300 and self.current is not None:
                self.workers = [self.current]  # whoever was cut off has done by now what harm it could
            if self.committed == self.ends and not self._has_left_over():
                return
            if self.committed != before:
                before, since = dict(self.committed), 0
            elif since % PATIENCE_STEPS == 0:
                self.now_ms += max(one.max_wait_ms for one in (self.settings, self.other or self.settings)) + 1
            if since > 60 * PATIENCE_STEPS:
                return
