"""Watches the cluster: whether it lets this worker in, and how many partitions the topics have."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from syncline.errors import AccessError, BrokerError, MissingRightError, SynclineError
from syncline.kafka.authorization import needs_of
from syncline.kafka.client import require_rights
from syncline.kafka.cluster import Cluster
from syncline.kafka.diagnose import find_refusal
from syncline.kafka.partition_counts import Nodes
from syncline.wire.contract import ALL_TOPICS

log = logging.getLogger(__name__)


GIVE_UP_MS = 5_000
"""If no broker answers for so long, the counted number holds."""


class Counted:
    """Until when the number of partitions is confirmed; `now_ms` is the worker's monotonic clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self._confirmed_ms = now_ms()
        self.wanted = asyncio.Event()
        """Set while a caller waits for a new count."""

    def confirm(self, asked_ms: int) -> None:
        """Note that all nodes, asked at `asked_ms` or later, confirmed the number."""
        self._confirmed_ms = asked_ms
        self.wanted.clear()

    def held(self, read_ms: int) -> bool:
        """Tell whether the number was still right for records read by `read_ms`; otherwise request a new count."""
        if self._confirmed_ms >= read_ms:
            return True
        self.wanted.set()
        return self.now_ms() - read_ms >= GIVE_UP_MS


ENOUGH_ANSWERS = 3
"""How many answers must agree, so that one or two odd ones change nothing."""


class Votes:
    """The nodes' answers: how many partitions all topics have, 0 if topics differ or are missing.

    A node's newest answer is its vote. A number is agreed on when more than half of the nodes say it, in at least
    `ENOUGH_ANSWERS` answers without a different one of theirs between.
    """

    def __init__(self) -> None:
        self._votes: dict[int, tuple[int, int]] = {}
        self._asked_ms: dict[int, int] = {}
        self._n_nodes = 0

    def add(self, node: int, nodes: list[int], n_partitions: int, asked_ms: int = 0) -> None:
        """Add the answer of `node`; drop the votes of nodes that are not in `nodes`."""
        self._asked_ms[node] = asked_ms
        said, n_times = self._votes.get(node, (n_partitions, 0))
        self._votes[node] = n_partitions, n_times + 1 if said == n_partitions else 1
        self._votes = {voter: vote for voter, vote in self._votes.items() if voter in nodes}
        self._n_nodes = len(nodes)

    def all_said(self, n_partitions: int) -> int | None:
        """Return when the oldest of the nodes' newest answers was asked, if all are `n_partitions`; else None."""
        if len(self._votes) < self._n_nodes or any(said != n_partitions for said, _ in self._votes.values()):
            return None
        return min((self._asked_ms[node] for node in self._votes), default=None)

    @property
    def agreed(self) -> int | None:
        """Return the agreed number; None while there is none."""
        answers, voters = Counter[int](), Counter[int]()
        for n_partitions, n_times in self._votes.values():
            answers[n_partitions] += n_times
            voters[n_partitions] += 1
        return next((n for n in voters if 2 * voters[n] > self._n_nodes and answers[n] >= ENOUGH_ANSWERS), None)


ASK_EVERY_S = 2.0
SILENT_MS = 4_000
"""Look for the reason after so long without an answer; answers come every second or two."""


class AuthWatch:
    """Looks for a refusal while `silent_ms`, the age of the last answer, is high."""

    def __init__(self, cluster: Cluster, silent_ms: Callable[[], int]) -> None:
        self._cluster, self._silent_ms = cluster, silent_ms
        self.refused = ""
        """Why the brokers refuse this worker, if known."""

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            found = await find_refusal(self._cluster) if self._silent_ms() > SILENT_MS else None
            told = "" if found is None else str(found)
            if told and told != self.refused:
                log.warning("no answer, trying again: %s", told)
            self.refused = told


COUNT_EVERY_S = 1.0
DOUBT_EVERY_S = 0.1
"""Pause between questions while the answers are few or disagree."""
SPARE_S = 0.02
"""Shortest pause between two questions."""
WAIT_FOR_TOPICS_S = 2.0


class PartitionsChangedError(SynclineError):
    """The topics' number of partitions has changed since this worker started; a restart counts again."""

    may_retry = True

    def __init__(self, before: int, now: int) -> None:
        super().__init__(
            f"all topics have {now} partitions, and this worker has halted while it saw others than the {before} with "
            "which it started: it ends, to be restarted"
        )


async def count_partitions(nodes: Nodes, prefix: str) -> tuple[int, str]:
    """Ask the next node how many partitions all topics have; return 0 and the reason if they differ or are missing.

    Raises `BrokerError` if the node cannot tell.
    """
    counts = await nodes.count([prefix + topic for topic in ALL_TOPICS])
    missing = [name for name, count in counts.items() if not count]
    if missing:
        hint = f"make them with: syncline topics create --brokers {nodes.cluster}"
        return 0, f"broker {nodes.cluster} has no topic {', '.join(missing)}; {hint}"
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"{name} {count}" for name, count in counts.items())
        return 0, f"all topics must have the same number of partitions, and have: {numbers}"
    return counts[prefix + ALL_TOPICS[0]], ""


async def wait_for_topics(cluster: Cluster, prefix: str, group: str, on_trouble: Callable[[str], None]) -> int:
    """Wait until all topics exist with one number of partitions, and return it; report trouble to `on_trouble`.

    Raises `AccessError` if the broker refuses this worker; waits for a missing right.
    """
    async with Nodes(cluster) as nodes:
        while True:
            try:
                await require_rights(cluster, needs_of("worker"), prefix, group)
                n_partitions, trouble = await _count_everywhere(nodes, prefix)
            except BrokerError as error:
                if isinstance(error, AccessError) and not isinstance(error, MissingRightError):
                    raise  # a setting is wrong: waiting does not help
                n_partitions, trouble = 0, str(error)
            if n_partitions:
                return n_partitions
            on_trouble(trouble)
            await asyncio.sleep(WAIT_FOR_TOPICS_S)


async def _count_everywhere(nodes: Nodes, prefix: str) -> tuple[int, str]:
    """Count and require that all nodes agree: the group's leader assigns what its node knows."""
    found, trouble = await count_partitions(nodes, prefix)
    for _ in nodes.known[1:]:
        another, trouble = await count_partitions(nodes, prefix)
        if another != found:
            return 0, trouble or f"the nodes of {nodes.cluster} do not all know the same topics yet"
    return found, trouble


class Haltable(Protocol):
    """Halted when the topics' number of partitions changes."""

    async def halt(self, reason: str) -> None:
        """Stop working, for this reason."""
        ...


async def watch_partitions(
    cluster: Cluster, prefix: str, manager: Haltable, n_partitions: int, counted: Counted | None = None
) -> None:
    """Halt the partition manager when the number of partitions changes: streams would move away from their records.

    counted: confirmed when all nodes say the number as before; asks them at once on request. Raises
    `PartitionsChangedError` once all topics are equal again: the worker must be restarted to count again.
    """
    votes, halted = Votes(), False
    counted = Counted(_now_ms) if counted is None else counted
    async with Nodes(cluster) as nodes:
        while True:
            is_sure = votes.agreed == n_partitions and votes.all_said(n_partitions) is not None
            await _pause(counted.wanted, COUNT_EVERY_S if is_sure else DOUBT_EVERY_S)
            asked_ms = counted.now_ms()
            try:
                found, trouble = await count_partitions(nodes, prefix)
            except BrokerError as error:
                log.debug("partitions cannot be counted now: %s", error)
                await asyncio.sleep(COUNT_EVERY_S)
                continue
            votes.add(nodes.node, nodes.known, found, asked_ms)
            agreed, said_ms = votes.agreed, votes.all_said(n_partitions)
            if agreed == n_partitions and said_ms is not None and not halted:
                counted.confirm(said_ms)
            if agreed is not None and agreed != n_partitions and not halted:
                halted = True
                now = f"topics had {n_partitions} partitions when this worker started, now {found}"
                await manager.halt(trouble or now)
            if agreed and halted:
                raise PartitionsChangedError(n_partitions, agreed)


async def _pause(wanted: asyncio.Event, limit_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await wanted.wait()
    await asyncio.sleep(min(limit_s, SPARE_S))


def _now_ms() -> int:
    return int(time.monotonic() * 1_000)
