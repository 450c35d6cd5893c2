"""How a group shares out its partitions: Faust's messages, our own choice (`streams.kafka.balance`).

Faust's choice leaves others fuller than they should be and a newcomer with nothing: four partitions, two workers and a
third gave 2, 2, 0 for as long as they lived, since `table_standby_replicas` has to be 1 (streams/kafka/app.py); and
without replicas what is left over goes to whoever comes first, newcomer or not (12 over five: 3, 3, 3, 2, 1).

Its name and its messages are Faust's, so that workers with either choice share a group, as in a rolling upgrade: the
group's leader chooses for all. What it says of standbys is empty, and what others say of theirs is passed over.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from streams.kafka.balance import balance
from streams.kafka.faust import assignor as faust_assignor
from streams.kafka.faust import client_assignment


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
