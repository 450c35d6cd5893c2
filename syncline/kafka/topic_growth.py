"""Adds partitions to all topics of a deployment without splitting a stream.

producers stopped --> all media resolved --> all topics grown --> known to every node
                  --> workers with the old count ended --> producers may start
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import NewPartitions
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from syncline.errors import BrokerError, BrokerTimeoutError, SettingsError, TopicError
from syncline.kafka.broker_errors import as_ours
from syncline.kafka.client import broker_error
from syncline.kafka.cluster import Cluster
from syncline.kafka.topic_reader import TopicReader
from syncline.kafka.topics import admin_client, read_topics, until_visible
from syncline.wire.contract import ALL_TOPICS, MEDIA_TOPICS

RESOLVE_LIMIT_S = 300.0
"""Limit for resolving all records that producers have sent."""
TAKE_OVER_LIMIT_S = 90.0
"""Limit for workers with the old count to end."""
LOOK_S = 0.5
Ends = dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What was done: partitions before and now, the grown topics, and how many workers ended for it."""

    before: int
    n_partitions: int
    grown: list[str]
    n_workers: int


class TopicGrowth:
    """Grows all topics of one prefix.

    say: called with a line on what it waits for. limit_s: how long to wait until all media are resolved.
    """

    def __init__(
        self,
        cluster: Cluster,
        prefix: str,
        group: str,
        n_partitions: int,
        *,
        say: Callable[[str], None],
        limit_s: float = RESOLVE_LIMIT_S,
    ) -> None:
        self._cluster, self._prefix, self._group, self._say = cluster, prefix, group, say
        self._n_partitions, self._limit_s = n_partitions, limit_s

    async def run(self) -> Growth:
        """Wait, grow, wait again; producers may start when it returns.

        Raises `SettingsError` if the number is not larger than the present one, and `BrokerError` if media keep coming
        or are not resolved in time (nothing has grown then), a topic cannot grow, or old workers do not end.
        """
        counts = await self._counts()
        before = min(counts.values())
        self._check(counts, before)
        first: Ends = {}
        if len(set(counts.values())) == 1:
            first = await self._until_resolved()
        else:
            self._say("the topics differ in their number of partitions, so workers have halted: nothing is waited for")
        async with admin_client(self._cluster) as admin:
            members = await self._members(admin)
            grown = await self._grow(admin, counts)
            await until_visible(admin, counts, self._n_partitions)
            self._say(f"all topics have {self._n_partitions} partitions")
            await self._until_gone(admin, members)
        await self._require_silence(first)
        return Growth(before=before, n_partitions=self._n_partitions, grown=grown, n_workers=len(members))

    async def _counts(self) -> dict[str, int]:
        """Count partitions by full name, media topics last: producers use the old number until they grow."""
        order = [self._prefix + topic for topic in (*reversed(ALL_TOPICS),)]
        states = await read_topics(self._cluster, order, with_config=False)
        missing = [name for name in order if name not in states]
        if missing:
            raise TopicError(f"broker {self._cluster} has no topic {', '.join(missing)}; nothing was changed")
        return {name: states[name].n_partitions for name in order}

    def _check(self, counts: dict[str, int], before: int) -> None:
        most = max(counts.values())
        if self._n_partitions < most or self._n_partitions == before:
            numbers = ", ".join(f"{name} has {count}" for name, count in counts.items())
            takes = f"a number above {before}" if most == before else f"a number from {most}: {numbers}"
            raise SettingsError("--partitions", self._n_partitions, takes)

    # --- before ------------------------------------------------------------------------------------------------

    async def _until_resolved(self) -> Ends:
        """Wait until all media are resolved; return the ends of the media topics."""
        clock_s = asyncio.get_running_loop().time
        deadline_s = clock_s() + self._limit_s
        async with TopicReader(self._cluster, self._prefix, MEDIA_TOPICS) as reader:
            first = await reader.ends(MEDIA_TOPICS)
            while left := await self._unresolved(reader, first):
                if clock_s() > deadline_s:
                    raise BrokerTimeoutError(f"not resolved after {self._limit_s:.0f} s: {left}; nothing was changed")
                self._say(f"waiting until workers of group {self._group} have resolved {left}")
                await asyncio.sleep(LOOK_S)
        return first

    async def _unresolved(self, reader: TopicReader, first: Ends) -> str:
        """Describe what is not committed. A committed record's decision and result are on the broker."""
        committed, ends = await reader.committed(self._group), await reader.ends(MEDIA_TOPICS)
        came = sum(ends.values()) - sum(first.values())
        if came > 0:
            raise BrokerError(
                f"{came} media records came while this waited: stop all producers, then try again; nothing was changed"
            )
        starts = {place: span.start for place, span in (await reader.spans(MEDIA_TOPICS)).items()}
        open_ = {place: end - committed.get(place, starts[place]) for place, end in ends.items()}
        open_ = {place: n_records for place, n_records in open_.items() if n_records > 0}
        where = ", ".join(f"{topic} partition {number}" for topic, number in sorted(open_))
        return f"{sum(open_.values())} records ({where})" if open_ else ""

    # --- and after ---------------------------------------------------------------------------------------------

    async def _grow(self, admin: Any, counts: dict[str, int]) -> list[str]:
        grown: list[str] = []
        for name, count in counts.items():
            if count == self._n_partitions:
                continue
            try:
                await admin.create_partitions({name: NewPartitions(self._n_partitions)})
            except IncompatibleBrokerVersion as error:
                raise BrokerError(f"broker {self._cluster} cannot add partitions to topics") from error
            except KafkaError as error:
                done = f"; these have grown: {', '.join(grown)}; the same command goes on from here" if grown else ""
                raise as_ours(error, f"{name} cannot grow: {broker_error(self._cluster, error)}{done}") from error
            grown.append(name)
        return grown

    async def _require_silence(self, first: Ends) -> None:
        async with TopicReader(self._cluster, self._prefix, MEDIA_TOPICS) as reader:
            ends = await reader.ends(MEDIA_TOPICS)
        came = sum(ends[place] - end for place, end in first.items())
        if came > 0:
            raise BrokerError(
                f"all topics have {self._n_partitions} partitions, but {came} media records came meanwhile: producers "
                "were not stopped, and their streams may be in two partitions; stop and restart them"
            )

    async def _members(self, admin: Any) -> set[str]:
        """Return the member ids of the workers' group."""
        (answer,) = await admin.describe_consumer_groups([self._group])
        (group,) = answer.to_object()["groups"]
        return {member["member_id"] for member in group["members"]}

    async def _until_gone(self, admin: Any, members: set[str]) -> None:
        """Wait until the workers with the old count have ended; a new worker counts again."""
        clock_s = asyncio.get_running_loop().time
        deadline_s = clock_s() + TAKE_OVER_LIMIT_S
        while left := members & await self._members(admin):
            if clock_s() > deadline_s:
                raise BrokerTimeoutError(
                    f"all topics have {self._n_partitions} partitions, but {len(left)} workers that have counted fewer "
                    f"still run after {TAKE_OVER_LIMIT_S:.0f} s: end them, then producers may go on"
                )
            self._say(f"waiting until {len(left)} workers, which have counted fewer, have ended by themselves")
            await asyncio.sleep(LOOK_S)
