"""What to make of several nodes' answers to how many partitions the topics have. Pure."""

from __future__ import annotations

from collections import Counter

ENOUGH_ANSWERS = 3
"""So many must say the same; one odd answer, or two, change nothing."""


class Votes:
    """The answers of the nodes of one cluster: how many partitions all topics have, 0 where they differ or are missing.

    A node's newest answer is its vote. A number is agreed on once more than half of the nodes say it, in at least
    `ENOUGH_ANSWERS` answers without another one of theirs between.
    """

    def __init__(self) -> None:
        self._votes: dict[int, tuple[int, int]] = {}
        self._asked_ms: dict[int, int] = {}
        self._n_nodes = 0

    def add(self, node: int, nodes: list[int], n_partitions: int, asked_ms: int = 0) -> None:
        """The answer of `node`, which is one of `nodes`; the votes of nodes that are gone do not count."""
        self._asked_ms[node] = asked_ms
        said, n_times = self._votes.get(node, (n_partitions, 0))
        self._votes[node] = n_partitions, n_times + 1 if said == n_partitions else 1
        self._votes = {voter: vote for voter, vote in self._votes.items() if voter in nodes}
        self._n_nodes = len(nodes)

    def all_said(self, n_partitions: int) -> int | None:
        """When the first was asked of the newest answers of all nodes, if all are `n_partitions`; None where not."""
        if len(self._votes) < self._n_nodes or any(said != n_partitions for said, _ in self._votes.values()):
            return None
        return min((self._asked_ms[node] for node in self._votes), default=None)

    @property
    def agreed(self) -> int | None:
        """What is agreed on; None as long as nothing is."""
        answers, voters = Counter[int](), Counter[int]()
        for n_partitions, n_times in self._votes.values():
            answers[n_partitions] += n_times
            voters[n_partitions] += 1
        return next((n for n in voters if 2 * voters[n] > self._n_nodes and answers[n] >= ENOUGH_ANSWERS), None)
