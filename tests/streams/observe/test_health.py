"""streams/observe/health.py: what /readyz says in any case."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from streams.observe.health import Health
from streams.observe.worker_state import WorkerState
from streams.partition.manager import PartitionManager
from streams.settings import WorkerSettings


async def test_before_an_assignment_the_lag_is_not_known() -> None:
    """Nor between two: nobody knows what is to be read. A worker that was assigned nothing is behind by nothing."""
    manager, watch = PartitionManager("p."), SimpleNamespace(silent_ms=0)
    any_watch: Any = watch
    health = Health(WorkerState(settings=WorkerSettings(), manager=manager, lag_watch=any_watch))
    assert health.facts()["lag"] is None
    await manager.on_assigned(1, 1, {})
    assert health.facts()["lag"] == {"records": 0, "age_ms": 0}
    await manager.on_revoked()
    assert health.facts()["lag"] is None
