"""What can go wrong in a simulated world, and how likely it is at each step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from unittest.mock import patch


@dataclass(frozen=True)
class Faults:
    """Chances per step (appends, model: per call). `outage`, `appends_down` and `model_slow` last for a while."""

    crash: float = 0.0
    freeze: float = 0.0
    thaw: float = 0.05
    rebalance: float = 0.0
    delete_group: float = 0.0
    """Generations start anew, below the ones that stand in the decision log."""
    forget_commits: float = 0.0
    """The group expired with its committed offsets: everything that is left is read again."""
    append_lost: float = 0.0
    append_twice: float = 0.0
    append_late: float = 0.0
    """Its writer is told that it failed; it lands any time later, perhaps after the writer's claim is lost."""
    appends_down: float = 0.0
    outage: float = 0.0
    """Of the output topics."""
    lasts_steps: int = 60
    model_fails: float = 0.0
    model_slow: float = 0.0
    """Share of the model's turns in which it does not come to an end."""
    snapshot: float = 0.1
    """Share of a worker's turns in which it is told to write a snapshot."""
    retention: float = 0.0
    """The broker deletes the oldest records of one media topic, resolved or not."""
    spoil: float = 0.0
    """From now on one record that was read before cannot be decoded."""
    cut_log: float = 0.0
    """The broker deletes what nobody can need of the decision log."""

    grow: float = 0.0
    """All topics get one partition more; who runs already does not know."""

    @property
    def touches_media(self) -> bool:
        """Whether what becomes of a record depends on more than the logs."""
        return bool(self.model_fails or self.retention or self.spoil)


PEACE = Faults(thaw=1.0, snapshot=0.01)

PRESETS: dict[str, Faults] = {
    "none": Faults(),
    "crash": Faults(crash=0.01),
    "freeze": Faults(freeze=0.005, thaw=0.02),
    "appends": Faults(append_lost=0.1, append_twice=0.15, append_late=0.15, appends_down=0.004, crash=0.003),
    "late appends": Faults(append_late=0.25, append_twice=0.3, freeze=0.003, rebalance=0.003, crash=0.002),
    "outage": Faults(outage=0.01, crash=0.006, model_slow=0.8),
    "group": Faults(delete_group=0.002, rebalance=0.003, freeze=0.002, append_late=0.1, append_twice=0.1),
    "forgotten": Faults(forget_commits=0.004, crash=0.008, append_lost=0.05, snapshot=0.3),
    "forgotten and deleted": Faults(forget_commits=0.004, retention=0.01, crash=0.008, append_lost=0.05, snapshot=0.3),
    "model": Faults(model_fails=0.2, crash=0.01, append_lost=0.1, freeze=0.004),
    "retention": Faults(retention=0.01, crash=0.012, spoil=0.03, append_lost=0.05),
    "snapshots": Faults(snapshot=0.6, crash=0.012, append_lost=0.1, append_twice=0.1, cut_log=0.02),
    "grown": Faults(grow=0.005, crash=0.012, rebalance=0.003, append_lost=0.1, append_late=0.1, snapshot=0.3),
    "all": Faults(
        crash=0.004,
        freeze=0.004,
        rebalance=0.004,
        delete_group=0.0005,
        append_lost=0.05,
        append_twice=0.1,
        append_late=0.05,
        appends_down=0.001,
        outage=0.002,
        model_fails=0.03,
        model_slow=0.3,
        retention=0.002,
        spoil=0.005,
        cut_log=0.01,
    ),
}


JUDGED_PRESETS = tuple(name for name, faults in PRESETS.items() if not faults.grow)
"""Those whose records have headers too: a world of one partition number knows no other for its streams to grow into."""


@contextmanager
def small_sizes(random: Random) -> Iterator[None]:
    """Batches, snapshot parts and reading chunks so small that their edges are met in a log of a few entries."""
    with (
        patch("streams.decisions.proposer.BATCH_DECISIONS", random.choice((1, 3, 500))),
        patch("streams.decisions.snapshots.PART_BYTES", random.choice((40, 200, 400_000))),
        patch("streams.decisions.snapshots.THINGS_A_STEP", 2),
        patch("streams.decisions.recovery.CHUNK_ENTRIES", random.choice((1, 4, 500))),
        patch("streams.decisions.in_flight.KEPT_PER_EVENT", 1),
    ):
        yield
