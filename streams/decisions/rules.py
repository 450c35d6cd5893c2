"""The rules of the decision log as switches, so that tests can show what each one is for.

Only tests turn one off: nothing in the service takes a `Rules` from its settings.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Each rule of docs/design.md, "The decision log", that a test can take out."""

    void_behind_other_claim: bool = True
    """A batch is void if another claim lies between its writer's claim and itself."""
    ignore_lower_claims: bool = True
    """A claim of a lower generation than the one before it is ignored."""
    one_group_a_log: bool = True
    """A claim of another consumer group than the log's is ignored, unless it was told to take that one's log over."""
    ignore_copies: bool = True
    """A second copy of an entry is ignored."""
    act_on_read_back: bool = True
    """A decision takes effect when it is read back, not when it is proposed."""
    obey_the_log: bool = True
    """After a crash a record that a valid decision names never joins again."""
    propose_with_a_fresh_heartbeat: bool = True
    """Nothing is proposed by a worker that has not been heard by its group for half the session timeout."""
    one_batch_in_flight: bool = True
    """The next entry goes only when the one before it is acknowledged."""
    timers_rest_while_appends_fail: bool = True
    """Timers propose nothing while appends fail, and start again when they succeed."""
    keep_the_place_of_a_lost_member: bool = True
    """A record that is gone is not acknowledged before the others of its set have their outcome."""
    given_up_sets_stay_whole: bool = True
    """The members of a set that was given up (`require`) go into one batch."""
    resolve_together: bool = True
    """All members of a set are resolved together, when every output is on the broker."""
    acknowledge_in_order: bool = True
    """Only the resolved prefix of a topic is acknowledged."""
    publish_in_log_order: bool = True
    """Results of a stream are handed to the producer in log order."""
    failure_is_a_decision: bool = True
    """`failed` is appended and read back before a set's dead letter is sent."""
    restore_clocks: bool = True
    """Recovery starts from the watermarks and remembered ids of a snapshot and the decisions after it."""
    remember_what_is_resolved: bool = True
    """A snapshot names what is resolved above the acknowledged offsets, so that nobody publishes it again."""
    snapshot_at_acknowledged: bool = True
    """A snapshot holds the clocks as they were at the acknowledged offsets, not at the newest item read."""
    read_what_is_awaited: bool = True
    """Over the limits a topic is read whose records a decided set waits for."""
    read_what_is_wanted: bool = True
    """Over the soft limit a topic is read that undecided sets wait for; a backlog beside a live lane waits."""
    spare_what_frees_itself: bool = True
    """Over the soft limit nothing is read while half of it is on its way; pressure acts only below that."""


ALL_RULES = Rules()
