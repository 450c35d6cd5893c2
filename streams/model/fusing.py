"""The runner of a model that fuses sets: `await fuse(members) -> Fusion`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from models.interface import Fusion, Member, Model
from streams.clock import Clock
from streams.model.answers import check_answer
from streams.model.runner import Runner, RunnerSettings

MemberSet = Sequence[Member]


class ModelRunner(Runner[Model, MemberSet, Fusion]):
    """One model that fuses, on one device."""

    def __init__(
        self, load: Callable[[], Model], settings: RunnerSettings | None = None, clock: Clock | None = None
    ) -> None:
        super().__init__(load, _check, settings, clock)

    async def fuse(self, members: MemberSet) -> Fusion:
        """The model's answer to one set, as `Runner.ask`."""
        return await self.ask(members, sum(member.prepared.cost for member in members))


def _check(said: Any, members: MemberSet) -> Fusion:
    return check_answer(said, len(members))
