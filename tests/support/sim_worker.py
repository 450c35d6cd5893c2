"""One process in a simulated world: an owner, and everything between it and the broker that dies with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from streams.decisions.former_counts import MorePartitionsError
from streams.decisions.owner import PartitionOwner
from streams.decisions.ownership import Deployment
from streams.decisions.records import Append, Task
from streams.decisions.recovery import NotRecoverableError
from streams.join.settings import fingerprint
from syncline.wire.contract import MAX_EVENT_BYTES
from tests.support.driven import records_of
from tests.support.outputs import outputs_of

if TYPE_CHECKING:
    from tests.support.simulator import World

SESSION_TIMEOUT_MS = 10_000


class SimWorker:
    """Turns each thing that a driver does with an owner into one action, so that faults can fall between any two."""

    def __init__(self, world: World, name: str, generation: int) -> None:
        self.world, self.name, self.generation = world, name, generation
        others = world.other is not None and world.random.random() < 0.5
        self.settings = world.other if world.other is not None and others else world.settings
        self.owner = PartitionOwner(
            self.settings,
            name,
            generation,
            dict(world.committed),
            world.now_ms,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            fresh=frozenset(world.fresh),
            deployment=Deployment("simulated", "", fingerprint(self.settings, MAX_EVENT_BYTES), world.n_partitions),
        )
        self.n_partitions = world.n_partitions
        self.recovered = self.frozen = False
        self.positions = dict(world.committed)
        self.log_position = 0
        self.readable = frozenset(world.committed)
        self.models: list[Task] = []
        self.publishing: list[Task] = []
        self.sent: list[Task] = []
        self.acknowledged: dict[str, int] = {}
        self.append: Append | None = None
        self.answers: list[tuple[int, bool]] = []
        self.collect()

    def collect(self) -> None:
        """Take the owner's commands over."""
        commands = self.owner.take_commands()
        self.append = commands.append or self.append
        self.models += commands.fuse
        self.publishing += commands.publish
        self.acknowledged.update(commands.acknowledge)
        if commands.read is not None:
            self.readable = commands.read
        self.world.on_commands(self, commands)

    def actions(self) -> list[Callable[[], None]]:
        """What this process could do next; what is listed twice is twice as likely."""
        io: list[Callable[[], None]] = []
        if self.append is not None:
            io += [self.send_append] * 3
        if self.answers:
            io += [self.answer_append] * 2
        if not self.recovered:
            return io or [self.recover]
        io += [self.tick, self.tick, self.heartbeat, self.ask_high_water]
        if any(self.positions[topic] < self.world.produced[topic] for topic in self.readable):
            io += [self.read_records] * 3
        if self.log_position < len(self.world.log):
            io += [self.read_log] * 3
        if self.models:
            io += [self.run_model] * 2
        if self.publishing:
            io += [self.publish] * 2
        if self.sent:
            io += [self.answer_output] * 2
        if self.acknowledged:
            io.append(self.commit)
        if self.world.chance(self.world.faults.snapshot):
            io += [self.snapshot] * 2
        return io

    # --- the decision log ------------------------------------------------------------------------------------------

    def send_append(self) -> None:
        """Hand an entry to the broker; what it says comes later."""
        append, self.append = self.append, None
        if append is not None:
            self.answers.append((append.number, self.world.append(append.data)))

    def answer_append(self) -> None:
        """The broker's answer arrives, or the lack of it is noticed."""
        number, ok = self.answers.pop(0)
        self.owner.on_appended(number, ok=ok, now_ms=self.world.now_ms)
        self.collect()

    def recover(self) -> None:
        """Read the log as far back as the owner wants."""
        world = self.world
        generator = self.owner.recovery(world.log_start, len(world.log), world.now_ms)
        try:
            request = next(generator)
            while True:
                world.lowest_read = min(world.lowest_read, request.start)
                request = generator.send(records_of(world.log, request.start, request.stop))
        except StopIteration:
            self.recovered = True
            if self.owner.must_place:
                self.owner.place(dict(world.produced), world.now_ms)
            self.log_position = len(world.log)
            self.collect()
        except MorePartitionsError:
            world.crash(self)  # it counts anew
        except NotRecoverableError:
            # Whoever is still assigned must be able to recover; one that was cut off may have waited too long.
            if world.current is self or self.name == "probe":
                raise
            world.workers.remove(self)

    def read_log(self) -> None:
        """The consumer of the decision log brings some entries."""
        world = self.world
        stop = min(len(world.log), self.log_position + world.random.randint(1, 4))
        self.log_position = max(self.log_position, world.log_start)
        entries = records_of(world.log, self.log_position, stop)
        self.log_position = max(self.log_position, stop)
        try:
            self.owner.on_log(entries, world.now_ms)
        except MorePartitionsError:
            world.crash(self)
        else:
            self.collect()

    # --- records and time ------------------------------------------------------------------------------------------

    def read_records(self) -> None:
        """The consumer of the media topics brings what one poll had of one topic."""
        topics = sorted(self.readable)
        if topics:
            self.world.deliver(self, self.world.random.choice(topics))
            self.collect()

    def tick(self) -> None:
        """The loop comes round."""
        self.owner.tick(self.world.now_ms)
        self.collect()

    def heartbeat(self) -> None:
        """A heartbeat succeeds only for whoever is in the group's present generation."""
        if self.world.current is self:
            self.owner.on_heartbeat(self.world.now_ms)
            self.collect()

    def ask_high_water(self) -> None:
        """Ask the broker what the owner wants to know; no answer while the broker takes no appends."""
        now_ms = self.world.now_ms
        for topic in sorted(self.owner.topics_to_ask()):
            known = None if self.world.appends_down_left else self.world.produced[topic]
            self.owner.on_high_water(topic, known, now_ms, now_ms)
        self.collect()

    def snapshot(self) -> None:
        """Write a snapshot, as before handing over; never so often that nothing else gets into the log."""
        if self.owner.snapshot_is_written:
            self.owner.ask_for_snapshot()
            self.owner.tick(self.world.now_ms)
        self.collect()

    # --- carrying out ----------------------------------------------------------------------------------------------

    def run_model(self) -> None:
        """The model comes to an end with one set, in any order."""
        if self.world.chance(self.world.faults.model_slow):
            return
        task = self.models.pop(self.world.random.randrange(len(self.models)))
        if self.world.chance(self.world.faults.model_fails):
            self.owner.on_failed(task, "model_failed")
        else:
            self.owner.on_fused([task])
        self.collect()

    def publish(self) -> None:
        """The producer sends the next output, unless the topic is away."""
        if not self.world.outage_left:
            task = self.publishing.pop(0)
            self.world.put(outputs_of(task))
            self.sent.append(task)

    def answer_output(self) -> None:
        """The broker's answer to one output arrives."""
        self.owner.on_published([self.sent.pop(self.world.random.randrange(len(self.sent)))])
        self.collect()

    def commit(self) -> None:
        """Commit what was acknowledged; the broker takes it from the present generation only."""
        if self.world.current is self:
            for topic, offset in self.acknowledged.items():
                self.world.committed[topic] = max(self.world.committed[topic], offset)
                self.world.fresh.discard(topic)
        self.acknowledged = {}
