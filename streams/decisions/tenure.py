"""Whether the partition is this owner's: its claims, their loss, and the heartbeats that let it claim again."""

from __future__ import annotations

from typing import Literal, NamedTuple

from streams.decisions.entries import Claim, Placed
from streams.decisions.rules import ALL_RULES, Rules

State = Literal["claiming", "owning", "lost"]


class Deployment(NamedTuple):
    """What an owner's claims say of the workers that it belongs to; see `Claim`."""

    group: str = ""
    take_over: str = ""
    fingerprint: str = ""
    n_partitions: int = 0
    placed: tuple[Placed, ...] = ()


class Tenure:
    """The state of one owner's claim. Times come from the same monotonic clock as everywhere.

    claiming --- own claim read back ---> owning --- another's claim read ---> lost
        ^                                                                        |
        +------------ a heartbeat sent after that still succeeds ----------------+
    """

    def __init__(
        self,
        worker: str,
        generation: int,
        now_ms: int,
        session_timeout_ms: int,
        rules: Rules = ALL_RULES,
        deployment: Deployment | None = None,
    ) -> None:
        self._worker, self._generation, self._era = worker, generation, 0
        self.deployment = Deployment() if deployment is None else deployment
        self._session_timeout_ms, self._rules = session_timeout_ms, rules
        self._lost_ms = self._heartbeat_ms = now_ms
        self.state: State = "claiming"

    def claim(self, number: int) -> Claim:
        """The claim to append now, at first, again, or to renew it."""
        return Claim(self._worker, self._generation, self._era, number, *self.deployment)

    def say_placed(self, placed: tuple[Placed, ...]) -> None:
        """From now on have claims say this of how records were placed."""
        self.deployment = self.deployment._replace(placed=placed)

    def is_mine(self, claim: Claim | None) -> bool:
        """Whether this owner wrote the claim."""
        return claim is not None and claim.worker == self._worker

    def lose(self, now_ms: int) -> None:
        """Somebody else's claim is current."""
        self.state, self._lost_ms = "lost", now_ms

    def heard(self, sent_ms: int, current: Claim | None) -> bool:
        """A heartbeat sent at `sent_ms` succeeded; True if this owner must claim again."""
        self._heartbeat_ms = max(self._heartbeat_ms, sent_ms)
        if self.state != "lost" or sent_ms <= self._lost_ms:
            return False
        if current is not None and current.rank > (self._era, self._generation):
            self._era = current.era + 1  # the group was deleted, and its generations started anew
        self.state = "claiming"
        return True

    def may_propose(self, now_ms: int) -> bool:
        """Whether it is worth proposing: owning, with a fresh heartbeat. Safety rests on claims, not on this."""
        fresh = now_ms - self._heartbeat_ms <= self._session_timeout_ms // 2
        return self.state == "owning" and (fresh or not self._rules.propose_with_a_fresh_heartbeat)
