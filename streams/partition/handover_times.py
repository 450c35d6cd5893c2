"""How long giving partitions away may take, within the time that the group waits for it. Pure."""

from __future__ import annotations

from typing import NamedTuple


class HandoverTimes(NamedTuple):
    """Seconds: for carrying out what is decided; beyond that, for what was handed to the producer and the snapshot;
    for the commit with which an assignment ends."""

    carry_out_s: float = 2.0
    settle_s: float = 1.0
    commit_s: float = 1.0

    @classmethod
    def within(cls, rebalance_timeout_ms: int, heartbeat_ms: int) -> HandoverTimes:
        """As much as there is, of the usual times.

        rebalance_timeout_ms: whoever has not come back by then is thrown out, in the midst of its handover. Up to
        `heartbeat_ms` of it are over before a worker hears of the rebalance; a tenth is for coming back.
        """
        usual = cls()
        share = min(1.0, (0.9 * rebalance_timeout_ms - heartbeat_ms) / 1_000 / sum(usual))
        return cls(*(time_s * share for time_s in usual))
