"""Checks the published records of one partition number: each has a decision, repeats are equal, the order is right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from syncline.wire.contract import DEADLETTER, FUSED
from verify.attribution import Accounts, Carried, Decided, same_result
from verify.history import Fused, PartitionHistory, PublishedConversion, Single, Unreadable
from verify.partition_facts import Facts
from verify.record_facts import WITHHELD_IN_WORDS, Fact, RecordJudge
from verify.report import Place, Report, Violation
from verify.wording import in_words, say


class Results:
    """Checks the result topics of one partition number; fills `carried` and the facts' `published`."""

    def __init__(
        self, history: PartitionHistory, facts: Facts, decided: Decided, judge: RecordJudge, report: Report
    ) -> None:
        self._history, self._facts, self._decided, self._report = history, facts, decided, report
        self._accounts = Accounts(facts, decided, judge, history.partition)
        self.carried = Carried(decided)
        self.converted: list[tuple[str, PublishedConversion]] = []
        """Conversions of known records, with their topic, for verify/conversions.py."""

    def judge(self) -> None:
        """Check everything that was published."""
        by_id: dict[str, list[Fused]] = defaultdict(list)
        by_place: dict[tuple[str, Place], list[Single]] = defaultdict(list)
        for topic, records in self._history.published.items():
            for record in records:
                if isinstance(record, Fused):
                    if self._names_known(topic, record, [(m.topic, m.partition, m.offset) for m in record.members]):
                        by_id[record.id].append(record)
                elif isinstance(record, Unreadable):
                    self._add("void effect", f"cannot be read: {record.error}", topic, record.at)
                elif self._names_known(topic, record, [(record.topic, record.partition, record.offset)]):
                    if isinstance(record, Single):
                        by_place[topic, (record.topic, record.offset)].append(record)
                    else:
                        self.converted.append((topic, record))
            self._report.count("published", topic, len(records))
        firsts = [first for results in by_id.values() for first in self._fused(results)]
        self._order(sorted(firsts, key=lambda result: result.at))
        for (topic, place), singles in by_place.items():
            self._singles(topic, self._facts.by_place.get(place), singles)

    def _names_known(
        self, topic: str, record: Fused | Single | PublishedConversion, named: list[tuple[str, int, int]]
    ) -> bool:
        """Tell whether the records that a result names exist, or did before retention deleted them."""
        partition = self._history.partition
        gone = [
            (name, offset)
            for name, number, offset in named
            if number != partition or ((name, offset) not in self._facts.by_place and offset >= self._facts.start(name))
        ]
        withheld = [WITHHELD_IN_WORDS[self._facts.withheld[place]] for place in gone if place in self._facts.withheld]
        if withheld:
            self._add("aborted record", f"names {say(gone)}: {withheld[0]}", topic, record.at, tuple(gone))
        elif gone:
            self._add(
                "unknown record", f"names {say(gone)} of partition {named[0][1]}: it is not there", topic, record.at
            )
        return not gone

    # --- fused -----------------------------------------------------------------------------------------------------

    def _fused(self, results: list[Fused]) -> list[Fused]:
        """Check all results of one id; return the first of each set."""
        wrong = [self._accounts.wrong_fused(result) for result in results]
        reference = next((result for result, why in zip(results, wrong, strict=True) if not why), results[0])
        counting: dict[tuple[Place, ...], Fused] = {}
        for result, why in zip(results, wrong, strict=True):
            places = _places(result)
            if result is not reference and same_result(result, reference):
                self._report.count("repeats", FUSED)
                continue
            if why and result is not reference:
                self._add("differing repeat", f"{say(places)} has id {result.id}, but {why}", FUSED, result.at, places)
                continue
            if why:
                self._add("void effect", f"{say(places)}: {why}{self._void(places)}", FUSED, result.at, places)
            if places in counting:
                self._report.count("repeats", FUSED)
            else:
                counting[places] = result
                self._carry(result, places, accounted=not why)
        return list(counting.values())

    def _carry(self, result: Fused, places: tuple[Place, ...], *, accounted: bool) -> None:
        if accounted:
            self.carried.sets[places] = result.at
        for fact in self._facts.of(places):
            fact.published.append((FUSED, result.at, result.id))

    def _order(self, firsts: Sequence[Fused]) -> None:
        """Check that a stream's results are first published in the order of their decisions."""
        newest: dict[str, tuple[tuple[int, int], Fused]] = {}
        for result in firsts:
            found = self._decided.sets.get(_places(result))
            if found is None or self.carried.sets.get(_places(result)) != result.at:
                continue
            if not all(fact.present for fact in self._facts.of(_places(result))):
                continue  # a successor without its records skipped it and published the next one first
            order = found.placed.order
            known = newest.get(result.stream)
            if known is not None and order < known[0]:
                before = known[1]
                self._add(
                    "out of order",
                    f"set at {result.start_ms} came after the one at {before.start_ms} (offset {before.at}), "
                    "and was decided before it",
                    FUSED, result.at, _places(result),
                )  # fmt: skip
            newest[result.stream] = order, result

    # --- unfused, dead letters ------------------------------------------------------------------------------------

    def _singles(self, topic: str, fact: Fact | None, singles: list[Single]) -> None:
        if fact is None:
            return  # deleted by retention, and no longer in the log
        wrong = [self._accounts.wrong_single(topic, single, fact) for single in singles]
        accounted = [single for single, why in zip(singles, wrong, strict=True) if not why]
        if accounted:
            self.carried.singles[topic, fact.place] = accounted[0].at
        for single, why in zip(singles, wrong, strict=True):
            first = (accounted or singles)[0]
            if single is not first and (single.reason, single.late_by_ms) == (first.reason, first.late_by_ms):
                self._report.count("repeats", topic)
            elif single is not first and accounted:
                sentence = f"{say([fact.place])} is {single.reason} here and {first.reason} at offset {first.at}"
                self._add("differing repeat", sentence, topic, single.at, (fact.place,))
            elif why:
                sentence = f"{say([fact.place])} is {single.reason}: {why}{self._void((fact.place,))}"
                self._add("void effect", sentence, topic, single.at, (fact.place,))
        if not (topic == DEADLETTER and self._is_of_a_fused_set(fact, singles[0])):
            fact.published.append((topic, (accounted or singles)[0].at, (accounted or singles)[0].reason))

    def _is_of_a_fused_set(self, fact: Fact, single: Single) -> bool:
        """Tell whether the dead letter's set failed after its fused result was published, which then counts."""
        if fact.may_be_decided and single.set_id:
            return any(topic == FUSED for topic, _, _ in fact.published)
        return any(members in self.carried.sets for members in self._decided.failed_of.get(fact.place, ()))

    def _void(self, places: tuple[Place, ...]) -> str:
        void = self._decided.void.get(places)
        return (
            f"; the batch at log offset {void.offset} says so but is void ({in_words(void.decision)})" if void else ""
        )

    def _add(self, kind: str, sentence: str, topic: str, offset: int, places: tuple[Place, ...] = ()) -> None:
        void = self._decided.void.get(places)
        found = self._decided.sets.get(places)
        self._report.add(
            Violation(
                kind=kind,
                sentence=f"{topic}@{offset}: {sentence}",
                partition=self._history.partition,
                stream=self._facts.stream_of(places),
                records=places,
                log_offsets=tuple(one.offset for one in (void, found.placed if found else None) if one is not None),
                results=((topic, offset),),
            )
        )


def _places(result: Fused) -> tuple[Place, ...]:
    return tuple([(member.topic, member.offset) for member in result.members])
