"""A world for the owner of one partition number: brokers, a group, workers that crash, freeze and thaw.

Everything is driven by one random generator, so a seed replays a run. The world holds what would be on a broker
(media topics, decision log, committed offsets, outputs); a `SimWorker` holds an owner and what is under way between
it and the broker. Each step is one small thing that can happen; faults happen between any two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from streams.decisions.owner import PartitionOwner
from streams.decisions.records import Append, Record, Task
from streams.decisions.rules import ALL_RULES, Rules
from streams.join.model import DeadLetterDecision, RunDecision, SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings

SESSION_TIMEOUT_MS = 10_000


@dataclass
class Output:
    """One outcome as a consumer of the output topics sees it."""

    kind: str
    """`fused`, `unfused`, `deadletter`."""
    members: tuple[tuple[str, int], ...]
    reason: str
    stream: str = ""
    start_ms: int = 0
    set_members: tuple[tuple[str, int], ...] = ()
    """For dead letters of a failed set: the members of the set."""


@dataclass
class Faults:
    """How likely each fault is at a step, and how the broker misbehaves."""

    crash: float = 0.0
    freeze: float = 0.0
    thaw: float = 0.05
    rebalance: float = 0.0
    append_lost: float = 0.0
    append_twice: float = 0.0
    append_late: float = 0.0
    model_fails: float = 0.0
    outage: float = 0.0
    outage_steps: int = 60
    delete_group: float = 0.0


class SimWorker:
    """One process: an owner, and everything that dies with it."""

    def __init__(self, world: World, name: str, generation: int) -> None:
        self.world, self.name, self.generation = world, name, generation
        self.owner = PartitionOwner(
            world.settings,
            name,
            generation,
            dict(world.committed),
            world.now_ms,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            rules=world.rules,
        )
        self.recovered = False
        self.frozen = False
        self.positions = dict(world.committed)
        self.log_position = 0
        self.readable = frozenset(world.committed)
        self.models: list[Task] = []
        self.publishing: list[Task] = []
        self.acknowledged: dict[str, int] = {}
        self.questions: list[tuple[str, int]] = []
        self.append: Append | None = None
        self.collect()

    def collect(self) -> None:
        """Take the owner's commands over."""
        commands = self.owner.take_commands()
        if commands.append is not None:
            self.append = commands.append
        self.models += commands.fuse
        self.publishing += commands.publish
        self.acknowledged.update(commands.acknowledge)
        if commands.read is not None:
            self.readable = commands.read

    def actions(self) -> list[Callable[[], None]]:
        """What this process could do next."""
        if not self.recovered:
            return [self.send_append] if self.append is not None else [self.recover]
        actions = [self.read_records, self.read_records, self.read_log, self.read_log, self.tick, self.tick]
        actions += [self.heartbeat, self.ask_high_water]
        if self.append is not None:
            actions += [self.send_append] * 3
        if self.models:
            actions += [self.run_model] * 2
        if self.publishing:
            actions += [self.publish] * 2
        if self.acknowledged:
            actions.append(self.commit)
        return actions

    def send_append(self) -> None:
        append = self.append
        if append is None:
            return
        self.append = None
        fate = self.world.append(append.data)
        self.owner.on_appended(append.number, ok=fate, now_ms=self.world.now_ms)
        self.collect()

    def recover(self) -> None:
        log = self.world.log
        generator = self.owner.recovery(0, len(log), self.world.now_ms)
        try:
            request = next(generator)
            while True:
                entries = [(offset, log[offset]) for offset in range(request.start, request.stop)]
                request = generator.send(entries)
        except StopIteration:
            self.recovered = True
        self.log_position = len(log)
        self.collect()

    def read_records(self) -> None:
        world = self.world
        for topic in sorted(self.readable):
            start, stop = self.positions[topic], world.produced[topic]
            stop = min(stop, start + world.random.randint(0, world.fetch))
            if start < stop:
                self.owner.on_records(topic, world.media[topic][start:stop], world.now_ms)
                self.positions[topic] = stop
        self.collect()

    def read_log(self) -> None:
        log = self.world.log
        stop = min(len(log), self.log_position + self.world.random.randint(1, 4))
        entries = [(offset, log[offset]) for offset in range(self.log_position, stop)]
        self.log_position = stop
        self.owner.on_log(entries, self.world.now_ms)
        self.collect()

    def tick(self) -> None:
        self.owner.tick(self.world.now_ms)
        self.collect()

    def heartbeat(self) -> None:
        if self.world.current is self:
            self.owner.on_heartbeat(self.world.now_ms)
            self.collect()

    def ask_high_water(self) -> None:
        now_ms = self.world.now_ms
        for topic in self.owner.topics_to_ask():
            self.owner.on_high_water(topic, self.world.produced[topic], now_ms, now_ms)
        self.collect()

    def run_model(self) -> None:
        task = self.models.pop(self.world.random.randrange(len(self.models)))
        if self.world.random.random() < self.world.faults.model_fails:
            self.owner.on_failed(task, "model_failed")
        else:
            self.owner.on_fused([task])
        self.collect()

    def publish(self) -> None:
        if self.world.outage_left:
            return
        task = self.publishing.pop(0)
        self.world.output(task)
        if self.world.random.random() < 0.5:
            self.world.maybe_crash(self)  # between publish and acknowledge
            if self not in self.world.workers:
                return
        self.owner.on_published([task])
        self.collect()

    def commit(self) -> None:
        if self.world.current is self:
            for topic, offset in self.acknowledged.items():
                self.world.committed[topic] = max(self.world.committed[topic], offset)
        self.acknowledged = {}


@dataclass
class World:
    """What is on the broker, and who is in the group."""

    media: dict[str, list[Record]]
    settings: JoinSettings
    random: Random
    faults: Faults = field(default_factory=Faults)
    rules: Rules = ALL_RULES
    fetch: int = 5
    max_steps: int = 4_000
    now_ms: int = 1_000_000
    max_held: int = 0

    def __post_init__(self) -> None:
        self.produced = dict.fromkeys(self.media, 0)
        self.committed = dict.fromkeys(self.media, 0)
        self.log: list[bytes] = []
        self.late: list[bytes] = []
        self.outputs: list[Output] = []
        self.workers: list[SimWorker] = []
        self.current: SimWorker | None = None
        self.generation = 0
        self.n_workers = 0
        self.outage_left = 0

    # --- the broker --------------------------------------------------------------------------------------------

    def append(self, data: bytes) -> bool:
        """An append to the decision log; False where its writer is told that it failed."""
        draw, faults = self.random.random(), self.faults
        if draw < faults.append_lost:
            return False
        if draw < faults.append_lost + faults.append_late:
            self.late.append(data)
            return False
        self.log.append(data)
        if self.random.random() < faults.append_twice:
            if self.random.random() < 0.5:
                return False  # it is there, but the answer was lost: it will come again
            self.late.append(data)
        return True

    def output(self, task: Task) -> None:
        decision = task.decision
        if isinstance(decision, SetDecision) and task.failed is None:
            members = tuple(task.keys)
            self.outputs.append(Output("fused", members, decision.reason, decision.stream, decision.start_ms))
        elif isinstance(decision, SetDecision):
            for held in task.records:
                if held is not None:
                    key = (held.topic, held.offset)
                    self.outputs.append(
                        Output("deadletter", (key,), task.failed or "", decision.stream, set_members=tuple(task.keys))
                    )
        elif isinstance(decision, UnfusedDecision):
            self.outputs.append(Output("unfused", tuple(task.keys), decision.reason))
        elif isinstance(decision, RunDecision):
            self.outputs.append(Output(decision.outcome, tuple(task.keys), decision.reason))
        elif isinstance(decision, DeadLetterDecision):
            self.outputs.append(Output("deadletter", tuple(task.keys), decision.reason))

    # --- the group ---------------------------------------------------------------------------------------------

    def assign(self) -> None:
        """A new generation: a new worker owns the partition; the one before it may not know yet."""
        self.generation += 1
        self.n_workers += 1
        self.current = SimWorker(self, f"w{self.n_workers}", self.generation)
        self.workers.append(self.current)

    def maybe_crash(self, worker: SimWorker) -> None:
        if self.random.random() < self.faults.crash:
            self.crash(worker)

    def crash(self, worker: SimWorker) -> None:
        self.workers.remove(worker)
        if self.current is worker:
            self.assign()

    # --- running -----------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One thing happens."""
        self.now_ms += self.random.randint(0, 20)
        self.outage_left = max(0, self.outage_left - 1)
        self._produce()
        self._inject()
        if self.late and self.random.random() < 0.1:
            self.log.append(self.late.pop(self.random.randrange(len(self.late))))
        running = [worker for worker in self.workers if not worker.frozen]
        if running:
            worker = self.random.choice(running)
            self.random.choice(worker.actions())()
            self.max_held = max(self.max_held, worker.owner.held.events)

    def _produce(self) -> None:
        for topic, records in self.media.items():
            if self.produced[topic] < len(records):
                self.produced[topic] += self.random.randint(0, 1)

    def _inject(self) -> None:
        faults, draw = self.faults, self.random.random
        if draw() < faults.outage:
            self.outage_left = faults.outage_steps
        if draw() < faults.delete_group:
            self.generation = 0
            self._retire_current()
        if draw() < faults.rebalance:
            self._retire_current()
        for worker in list(self.workers):
            if draw() < faults.crash:
                self.crash(worker)
            elif not worker.frozen and draw() < faults.freeze:
                worker.frozen = True
                if worker is self.current:
                    self.assign()  # its session ended; it will come back late
            elif worker.frozen and draw() < faults.thaw:
                worker.frozen = False

    def _retire_current(self) -> None:
        # The one that was cut off goes on for a while, as a process does that has not heard yet.
        self.assign()
        if len(self.workers) > 3:
            self.workers.pop(0)

    def run(self) -> World:
        """Faults for a while, then peace until nothing is left to do."""
        self.assign()
        for _ in range(self.max_steps):
            self.step()
            if self._all_produced() and self.random.random() < 0.01:
                break
        self._make_peace()
        return self

    def _all_produced(self) -> bool:
        return all(self.produced[topic] == len(records) for topic, records in self.media.items())

    def _make_peace(self) -> None:
        self.faults = Faults(thaw=1.0)
        self.outage_left = 0
        for _ in range(60_000):
            self.step()
            if self._all_produced() and self.committed == self.produced:
                return
