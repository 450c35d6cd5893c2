"""A worker of another group is complained of where it is ready, ends by itself, or does not say whose the log is."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.guarantees import groups
from tests.guarantees.groups import watched

JOINING = (503, {"reasons": ["waiting for an assignment of the consumer group"]})
NAMED = (
    503,
    {"reasons": ["partition 0: decisions: the log belongs to consumer group 'p.workers', and this worker is"]},
)
READY = (200, {"reasons": []})


class _Stranger:
    """Answers /readyz with one of these after the other, and with the last from then on; then it may end."""

    def __init__(self, *answers: tuple[int, dict[str, Any]], ends: bool = False) -> None:
        self._answers, self._ends = list(answers), ends

    @property
    def running(self) -> bool:
        return not self._ends or len(self._answers) > 1

    async def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        assert path == "/readyz"
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.mark.parametrize(
    ("stranger", "complaint"),
    [
        (_Stranger((0, {}), JOINING, NAMED), ""),
        (_Stranger((0, {}), JOINING, READY), "was ready"),
        (_Stranger(JOINING, NAMED, READY), "was ready"),
        (_Stranger(JOINING, NAMED, ends=True), "has ended by itself"),
        (_Stranger(JOINING), "did not name the log's"),
    ],
)
async def test_it_is_watched(monkeypatch: pytest.MonkeyPatch, stranger: _Stranger, complaint: str) -> None:
    """Each of these is what a broken worker would do; the first is as it should be."""
    monkeypatch.setattr(groups, "LOOK_S", 0.001)
    monkeypatch.setattr(groups, "NAMED_LIMIT_S", 0.2)
    found = await watched(cast(Any, stranger), "p.workers", 0.2)
    assert bool(found) == bool(complaint)
    assert all(complaint in sentence for sentence in found)
