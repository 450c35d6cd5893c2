"""Which entries of a decision log count."""

from __future__ import annotations

from streams.decisions.entries import Batch, Claim
from streams.decisions.ownership import LogValidator

A = Claim("a", 1, 0, 0)
B = Claim("b", 2, 0, 0)


def _verdicts(*entries: Claim | Batch | None) -> list[str]:
    view = LogValidator()
    return [view.apply(offset, entry) for offset, entry in enumerate(entries)]


def test_a_batch_counts_under_its_own_claim_only() -> None:
    """Behind somebody else's claim it is void, for every reader."""
    assert _verdicts(A, Batch(0, 1, []), B, Batch(0, 2, []), Batch(2, 1, [])) == [
        "claim", "valid", "claim", "void", "valid",
    ]  # fmt: skip


def test_a_second_copy_of_a_batch_is_void() -> None:
    """It has the number of one that was read before."""
    assert _verdicts(A, Batch(0, 1, []), Batch(0, 1, []), Batch(0, 2, [])) == ["claim", "valid", "void", "valid"]


def test_a_claim_of_a_lower_generation_is_ignored() -> None:
    """It comes from before; the claim that stands goes on."""
    assert _verdicts(B, A, Batch(0, 1, [])) == ["claim", "void", "valid"]


def test_a_later_era_outranks_a_higher_generation() -> None:
    """The group was deleted, its generations started anew."""
    assert _verdicts(Claim("a", 9, 0, 0), Claim("b", 1, 0, 0), Claim("b", 1, 1, 1)) == ["claim", "void", "claim"]


def test_a_renewed_claim_counts_and_its_copy_does_not() -> None:
    """Batches after a renewal refer to it."""
    renewed = Claim("a", 1, 0, 2)
    assert _verdicts(A, Batch(0, 1, []), renewed, renewed, A, Batch(2, 3, [])) == [
        "claim", "valid", "claim", "void", "void", "valid",
    ]  # fmt: skip


def test_a_claim_of_another_group_is_ignored_unless_it_takes_the_log_over() -> None:
    """The log belongs to the first group that a claim names; generations of two groups say nothing of each other."""
    one, two = Claim("a", 5, 0, 0, "one"), Claim("b", 9, 0, 0, "two")
    heir = Claim("c", 1, 0, 0, "two", "one")
    assert _verdicts(A, one, two, heir, Claim("a", 6, 0, 1, "one"), Claim("d", 2, 0, 0, "two")) == [
        "claim", "claim", "void", "claim", "void", "claim",
    ]  # fmt: skip


def test_a_claim_that_names_no_group_changes_nothing_of_whose_log_it_is() -> None:
    """A worker of 1.2 writes such; it is of the same deployment."""
    one, unnamed = Claim("a", 5, 0, 0, "one"), Claim("b", 6, 0, 0)
    assert _verdicts(one, unnamed, Claim("c", 7, 0, 0, "two"), Claim("a", 4, 0, 9, "one")) == [
        "claim", "claim", "void", "void",
    ]  # fmt: skip


def test_bytes_that_are_no_entry_are_passed_over() -> None:
    """Whoever wrote them, they end nothing."""
    assert _verdicts(A, None, Batch(0, 1, [])) == ["claim", "void", "valid"]
