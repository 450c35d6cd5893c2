"""Laws of the demo's account."""

from __future__ import annotations

from demo.ledger import Ledger
from demo.scenario import PlannedEvent
from syncline.consumer import Received
from syncline.wire.converted import ConvertedText
from syncline.wire.results import FusedResult, ResultMember, Unfused

PLACES = {"image": 0, "text": 1, "audio": 2}


def planned(modality: str, expected: str = "fused", label: str = "peach") -> PlannedEvent:
    return PlannedEvent(0, "lobby", modality, modality, 0, f"lobby-{modality}", expected, ("lobby", 0), label)


def member(modality: str) -> ResultMember:
    return ResultMember(modality, modality, "urn:x", f"lobby-{modality}", f"media.{modality}", 0, PLACES[modality], 0)


def fused(*modalities: str, label: str = "peach", outcome: str = "complete") -> Received:
    result = FusedResult(
        id="a",
        stream="lobby",
        start_ms=0,
        end_ms=0,
        outcome=outcome,
        reason="complete" if outcome == "complete" else "timeout",
        missing=(),
        members=tuple(member(modality) for modality in modalities),
        labels=((label, 0.9),),
    )
    return Received(result, "results.fused", 0, 0, 0)


def unfused(modality: str, reason: str) -> Received:
    place = PLACES[modality]
    result = Unfused(
        id="u",
        stream="lobby",
        lane=modality,
        modality=modality,
        source="urn:x",
        event_id="e",
        topic=f"media.{modality}",
        partition=0,
        offset=place,
        time_ms=0,
        reason=reason,
    )
    return Received(result, "unfused", 0, 0, 0)


def ledger_of(*records: PlannedEvent) -> Ledger:
    ledger = Ledger()
    for record in records:
        ledger.note_sent((f"media.{record.modality}", 0, PLACES[record.modality]), record, 1.0)
    return ledger


def test_an_account_that_adds_up_has_no_problems() -> None:
    """Each record has the outcome that was planned."""
    ledger = ledger_of(planned("image"), planned("text", "unfused:late"))
    ledger.note(fused("image"), 1.01)
    ledger.note(unfused("text", "late"), 1.01)
    assert ledger.problems() == []
    assert ledger.n_open == 0


def test_a_record_without_outcome_is_a_problem() -> None:
    """It is named, with what was expected."""
    ledger = ledger_of(planned("image"))
    assert ledger.problems() == ["media.image/0/0 (lobby-image): expected fused, got nothing"]
    assert ledger.n_open == 1


def test_a_second_outcome_is_a_problem() -> None:
    """Even if one of the two is the right one."""
    ledger = ledger_of(planned("image"))
    ledger.note(fused("image"), 1.01)
    ledger.note(unfused("image", "duplicate"), 1.01)
    assert ledger.problems() == ["media.image/0/0 (lobby-image): expected fused, got ['fused', 'unfused:duplicate']"]


def test_an_outcome_of_a_record_that_was_never_sent_is_a_problem() -> None:
    """Nothing may come out that did not go in."""
    ledger = ledger_of()
    ledger.note(unfused("text", "late"), 1.0)
    assert ledger.problems() == ["('media.text', 0, 1): an outcome of a record that was never sent"]


def test_a_set_is_counted_once() -> None:
    """A complete set whose reason is `complete` too is one complete set."""
    ledger = ledger_of(planned("image"), planned("text"))
    ledger.note(fused("image", "text"), 1.0)
    ledger.note(fused("image", outcome="partial"), 1.0)
    assert ledger.n_sets == {"complete": 1, "partial": 1}
    assert ledger.n_reasons.total() == 2


def test_latency_counts_from_the_last_member() -> None:
    """Of complete sets only, in milliseconds."""
    ledger = ledger_of(planned("image"), planned("text"))
    ledger.note_sent(("media.text", 0, 1), planned("text"), 1.5)
    for _ in range(3):
        ledger.note(fused("image", "text"), 1.52)
    ledger.note(fused("image", outcome="partial"), 9.0)
    assert ledger.latency_ms() == {"p50": 20.0, "p95": 20.0}


def test_accuracy_compares_the_same_moments() -> None:
    """Fused and each modality alone, over complete sets; a set of two moments counts as wrong."""
    ledger = ledger_of(planned("image"), planned("audio"))
    says = ConvertedText(
        id="c",
        stream="lobby",
        lane="image",
        modality="image",
        source="urn:x",
        event_id="lobby-image",
        topic="media.image",
        partition=0,
        offset=0,
        time_ms=0,
        kind="caption",
        text="melon",
        score=0.5,
    )
    ledger.note(Received(says, "converted.text", 0, 0, 0), 1.0)
    ledger.note(fused("image", "audio"), 1.1)
    assert ledger.accuracy() == {"fused": 1.0, "image alone": 0.0}
    mixed = ledger_of(planned("image"), planned("audio", label="melon"))
    mixed.note(fused("image", "audio"), 1.1)
    assert mixed.accuracy() == {"fused": 0.0}
