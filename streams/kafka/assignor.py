"""Assigns a group's partitions evenly with as few moves as possible, in Faust's protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from streams.kafka.faust import assignor as faust_assignor
from streams.kafka.faust import client_assignment


def balance(held: Mapping[str, Iterable[int]], n_partitions: int) -> dict[str, list[int]]:
    """Assign the partition numbers 0 to `n_partitions` - 1 to the members, evenly to within one.

    held: by member, the numbers that it says it had; several may claim one, and numbers out of range are ignored. A
    member keeps what it had up to its share, and members that had most get the larger shares, so that nothing moves
    without need. The result does not depend on the input's order.
    """
    kept = _kept_by_one_each(held, n_partitions)
    shares = _shares(kept, n_partitions)
    for member, numbers in kept.items():
        del numbers[shares[member] :]
    taken = {number for numbers in kept.values() for number in numbers}
    free = [number for number in reversed(range(n_partitions)) if number not in taken]
    for member, numbers in kept.items():
        while len(numbers) < shares[member]:
            numbers.append(free.pop())
    return {member: sorted(numbers) for member, numbers in kept.items()}


def _kept_by_one_each(held: Mapping[str, Iterable[int]], n_partitions: int) -> dict[str, list[int]]:
    """Return what each had, each number with one member: of several that claim it, the one with the fewest so far."""
    kept: dict[str, list[int]] = {member: [] for member in sorted(held)}
    claimants: dict[int, list[str]] = {}
    for member in kept:
        for number in {*held[member]} & {*range(n_partitions)}:
            claimants.setdefault(number, []).append(member)
    # Numbers with a single claim first, so that the others even out.
    for number, members in sorted(claimants.items(), key=lambda claim: (len(claim[1]), claim[0])):
        kept[min(members, key=lambda member: (len(kept[member]), member))].append(number)
    return kept


def _shares(kept: Mapping[str, list[int]], n_partitions: int) -> dict[str, int]:
    each, n_larger = divmod(n_partitions, len(kept))
    by_size = sorted(kept, key=lambda member: (-len(kept[member]), member))
    return {member: each + (rank < n_larger) for rank, member in enumerate(by_size)}


# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false


class BalancedAssignor(faust_assignor.PartitionAssignor):
    """Faust's assignor, choosing with `balance`; equal partition numbers of all topics go to one member."""

    def _perform_assignment(self, cluster: Any, member_metadata: Mapping[str, Any]) -> dict[str, Any]:
        said = {member: self._get_client_metadata(metadata) for member, metadata in member_metadata.items()}
        self._update_member_urls(said)
        chosen = {member: client_assignment.ClientAssignment(actives={}, standbys={}) for member in said}
        for topics, members in _groups(member_metadata).items():
            n_of = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
            held = {member: _numbers(said[member].assignment.actives, topics) for member in members}
            for member, numbers in balance(held, max(n_of.values())).items():
                chosen[member].actives.update({t: [p for p in numbers if p < n] for t, n in n_of.items()})
        # The second and third are for tables and routers, which are not used.
        return self._protocol_assignments(chosen, {}, {}, {})


def _groups(member_metadata: Mapping[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """Group members by the topics that they read: one group, unless two topic prefixes share it."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for member, metadata in member_metadata.items():
        groups[tuple(sorted(metadata.subscription))].append(member)
    return groups


def _numbers(actives: Mapping[str, list[int]], topics: tuple[str, ...]) -> set[int]:
    """Return the partition numbers that a member had of any of these topics."""
    return {number for topic in topics for number in actives.get(topic, ())}


__all__ = ["BalancedAssignor"]
