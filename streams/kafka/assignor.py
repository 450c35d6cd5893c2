"""How a group shares out its partitions: Faust's messages, our own choice, as even as can be with as few moved as can
be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from streams.kafka.faust import assignor as faust_assignor
from streams.kafka.faust import client_assignment


def balance(held: Mapping[str, Iterable[int]], n_partitions: int) -> dict[str, list[int]]:
    """Share the partition numbers 0 to `n_partitions` - 1 out among the members, within one of each other.

    held: by member, what it says that it had; two may say the same, and numbers that are no more are passed over. A
    member keeps what it had up to its share, and those that had most have the larger shares, so that nothing moves
    that need not. The same answer for the same input, whatever its order.
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
    """What each had, each number with one member alone: of several that claim it, the one that has fewest so far."""
    kept: dict[str, list[int]] = {member: [] for member in sorted(held)}
    claimants: dict[int, list[str]] = {}
    for member in kept:
        for number in {*held[member]} & {*range(n_partitions)}:
            claimants.setdefault(number, []).append(member)
    # First what one member alone claims, so that what is left to choose evens out.
    for number, members in sorted(claimants.items(), key=lambda claim: (len(claim[1]), claim[0])):
        kept[min(members, key=lambda member: (len(kept[member]), member))].append(number)
    return kept


def _shares(kept: Mapping[str, list[int]], n_partitions: int) -> dict[str, int]:
    each, n_larger = divmod(n_partitions, len(kept))
    by_size = sorted(kept, key=lambda member: (-len(kept[member]), member))
    return {member: each + (rank < n_larger) for rank, member in enumerate(by_size)}


# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false


class BalancedAssignor(faust_assignor.PartitionAssignor):
    """Faust's assignor with `balance` for its choice; equal partition numbers of all topics go to one member."""

    def _perform_assignment(self, cluster: Any, member_metadata: Mapping[str, Any]) -> dict[str, Any]:
        said = {member: self._get_client_metadata(metadata) for member, metadata in member_metadata.items()}
        self._update_member_urls(said)
        chosen = {member: client_assignment.ClientAssignment(actives={}, standbys={}) for member in said}
        for topics, members in _groups(member_metadata).items():
            n_of = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
            held = {member: _numbers(said[member].assignment.actives, topics) for member in members}
            for member, numbers in balance(held, max(n_of.values())).items():
                chosen[member].actives.update({t: [p for p in numbers if p < n] for t, n in n_of.items()})
        # The second and third say for whom else a table's or a topic's keys are: there are no tables, and no router.
        return self._protocol_assignments(chosen, {}, {}, {})


def _groups(member_metadata: Mapping[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """Members by the topics that they read: all of a group, unless it is used with two topic prefixes."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for member, metadata in member_metadata.items():
        groups[tuple(sorted(metadata.subscription))].append(member)
    return groups


def _numbers(actives: Mapping[str, list[int]], topics: tuple[str, ...]) -> set[int]:
    """The partition numbers that a member had of any of these topics."""
    return {number for topic in topics for number in actives.get(topic, ())}


__all__ = ["BalancedAssignor"]
