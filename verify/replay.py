"""Replays one stream's decisions in log order, and compares each with what the join must decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from streams.join.items import ClosedDecision, Item, SetDecision, UnfusedDecision
from verify.expected_sets import by_force, by_the_logs, pick, pivot_that_reaches, say_pick, wrong_of_pick
from verify.legality import wrong_alone, wrong_form, wrong_members, wrong_of_forced
from verify.log import LoggedDecision
from verify.open_items import OpenStream, item_of
from verify.partition_facts import Facts
from verify.record_facts import Fact
from verify.report import Report, Violation
from verify.wording import in_words, places_of, say

FORCED = ("timeout", "pressure")


class StreamReplay:
    """Checks the sets, unfused and closed items of one stream, and reports violations."""

    def __init__(self, stream: OpenStream, facts: Facts, report: Report, partition: int) -> None:
        self._stream, self._facts, self._report, self._partition = stream, facts, report, partition
        self._settings = stream.settings
        # Limit of consecutive decisions that can be one set that was given up.
        self._longest_run = 1
        if self._settings.require:
            self._longest_run = 10_000 if self._settings.strategy == "tumbling" else len(stream.lane_names)

    def run(self, decisions: Sequence[LoggedDecision]) -> None:
        """Check all of the stream's decisions, in log order."""
        at = 0
        while at < len(decisions):
            placed = decisions[at]
            decision, n_judged = placed.decision, 1
            facts = self._known(placed)
            if facts is None:
                pass
            elif isinstance(decision, SetDecision):
                self._set(placed, decision, facts)
            elif isinstance(decision, ClosedDecision):
                self._closed(placed, decision, facts)
            elif isinstance(decision, UnfusedDecision) and decision.reason == "unmatched":
                n_judged = self._unmatched(decisions, at)
            elif isinstance(decision, UnfusedDecision):
                self._alone(placed, decision, facts[0])
            at += n_judged

    # --- sets ------------------------------------------------------------------------------------------------------

    def _set(self, placed: LoggedDecision, decision: SetDecision, facts: list[Fact]) -> None:
        forced = decision.reason in FORCED
        wrong = wrong_members(placed, decision.members, facts, in_join=True)
        wrong = wrong or wrong_form(decision, self._stream.lane_names, self._settings)
        if not wrong and forced:
            wrong = wrong_of_forced(self._stream, decision.start_ms, decision.bound_ms, facts)
        elif not wrong:
            wrong = wrong_of_pick(decision, pick(self._stream, facts), facts)
        if wrong:
            self._add(placed, "illegal decision" if forced else "wrong decision", wrong)
        self._close(fact for index, fact in enumerate(facts) if index not in decision.open_members)
        if forced:
            self._raise_bound(decision.bound_ms, facts)

    # --- single items ----------------------------------------------------------------------------------------------

    def _unmatched(self, decisions: Sequence[LoggedDecision], at: int) -> int:
        """Check the unmatched item at `at`, with the rest of a set that was given up; return how many."""
        run = self._run_of_unmatched(decisions, at)
        facts = [fact for _, fact in run]
        placed, bound_ms = run[0][0], _bound_ms(run[0][0])
        found = None
        if bound_ms and self._settings.require:
            found = by_force(self._stream, bound_ms, facts)
        elif self._settings.require:
            found = by_the_logs(self._stream, facts)
        if found is None:
            self._let_go(placed, facts[0])
            return 1
        members = facts[: found.n_members]
        wrong = next(
            (w for p, f in run[: found.n_members] if (w := wrong_members(p, _items(p), [f], in_join=True))), ""
        )
        if wrong or found.wrong:
            kind = "illegal decision" if bound_ms else "wrong decision"
            self._add(placed, kind, f"given up with {say(fact.place for fact in members)}: {wrong or found.wrong}")
        self._close(members)
        if bound_ms:
            self._raise_bound(bound_ms, members)
        return found.n_members

    def _run_of_unmatched(self, decisions: Sequence[LoggedDecision], at: int) -> list[tuple[LoggedDecision, Fact]]:
        """Return the unmatched items from `at` on with one batch and bound that may be in the join."""
        run: list[tuple[LoggedDecision, Fact]] = []
        for placed in islice(decisions, at, at + self._longest_run):
            decision = placed.decision
            if not isinstance(decision, UnfusedDecision) or decision.reason != "unmatched":
                break
            fact = self._facts.by_place.get((decision.item.topic, decision.item.offset))
            same = placed.offset == decisions[at].offset and _bound_ms(placed) == _bound_ms(decisions[at])
            if run and (fact is None or not same or not fact.joins):
                break
            if fact is not None:
                run.append((placed, fact))
        return run

    def _let_go(self, placed: LoggedDecision, fact: Fact) -> None:
        """Check an item in no set: only items of other lanes than the pivot's may be."""
        wrong = wrong_members(placed, _items(placed), [fact], in_join=True)
        if not wrong and fact.in_sets_before(placed):
            wrong = "it is in a set and can only be closed"
        if not wrong and (self._settings.strategy != "nearest" or item_of(fact).lane == self._settings.pivot):
            found = pick(self._stream, [fact])
            wrong = f"the logs give {say_pick(found)}"
        if wrong:
            self._add(placed, "wrong decision", wrong)
        else:
            self._count_let_go(fact)
        self._close([fact])

    def _count_let_go(self, fact: Fact) -> None:
        past = self._stream.reached_ms(self._settings.pivot) > item_of(fact).end_ms + self._settings.tolerance_ms
        by_logs = past and pivot_that_reaches(self._stream, fact) is None
        self._report.count("unmatched", "by the logs" if by_logs else "by timeout or pressure")

    def _closed(self, placed: LoggedDecision, decision: ClosedDecision, facts: list[Fact]) -> None:
        wrong = wrong_members(placed, [decision.item], facts, in_join=True)
        if not wrong and not facts[0].in_sets_before(placed) and not self._facts.log_is_cut:
            wrong = "it is in no set"
        if wrong:
            self._add(placed, "wrong decision", wrong)
        self._close(facts)

    def _alone(self, placed: LoggedDecision, decision: UnfusedDecision, fact: Fact) -> None:
        wrong = wrong_members(placed, [decision.item], [fact], in_join=False)
        unknown = not fact.present or fact.place[0] in self._facts.unknown
        if not wrong and not unknown:
            wrong = wrong_alone(decision, fact, self._stream.bound_ms)
        if wrong:
            self._add(placed, "wrong decision", wrong)

    # --- all of them -----------------------------------------------------------------------------------------------

    def _known(self, placed: LoggedDecision) -> list[Fact] | None:
        """Return the facts of a decision's items; None if one is unknown."""
        places = places_of(_items(placed))
        facts = self._facts.of(places)
        if len(facts) == len(places):
            return facts
        lost = [place for place in places if place not in self._facts.by_place]
        self._add(placed, "unknown record", f"there is no record {say(lost)}")
        return None

    def _close(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            if fact.item is not None and fact.expected:
                self._stream.close(fact)

    def _raise_bound(self, bound_ms: int, facts: Sequence[Fact]) -> None:
        if bound_ms:
            newest_ms = max((fact.item.append_ms for fact in facts if fact.item is not None), default=0)
            self._stream.raise_bound(bound_ms, newest_ms)

    def _add(self, placed: LoggedDecision, kind: str, wrong: str) -> None:
        self._report.add(
            Violation(
                kind=kind,
                sentence=f"log offset {placed.offset}: {in_words(placed.decision)}: {wrong}",
                partition=self._partition,
                stream=self._stream.name,
                records=tuple(places_of(_items(placed))),
                log_offsets=(placed.offset,),
            )
        )


def _items(placed: LoggedDecision) -> Sequence[Item]:
    decision = placed.decision
    if isinstance(decision, SetDecision):
        return decision.members
    return [decision.item] if isinstance(decision, UnfusedDecision | ClosedDecision) else []


def _bound_ms(placed: LoggedDecision) -> int:
    return placed.decision.bound_ms if isinstance(placed.decision, UnfusedDecision) else 0
