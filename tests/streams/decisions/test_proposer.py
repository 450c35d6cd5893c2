"""The way into the log."""

from __future__ import annotations

from streams.decisions.entries import Batch, encode_entry
from streams.decisions.proposer import Proposer


def _sent() -> Proposer:
    proposer = Proposer()
    proposer.send(Batch(0, 0, []))
    return proposer


def test_one_entry_is_in_flight_until_it_is_acknowledged() -> None:
    """The next one may go only then."""
    proposer = _sent()
    assert not proposer.free
    proposer.appended(0, ok=True)
    assert proposer.free


def test_a_failed_entry_is_sent_again_unchanged() -> None:
    """The broker may have it all the same: copies must be equal."""
    proposer = _sent()
    first = proposer.take()
    proposer.appended(0, ok=False)
    assert proposer.take() == first
    assert first is not None
    assert first.data == encode_entry(Batch(0, 0, []))


def test_an_entry_is_handed_out_once() -> None:
    """Until it fails."""
    proposer = _sent()
    assert proposer.take() is not None
    assert proposer.take() is None


def test_what_a_lost_claim_had_in_flight_is_dropped() -> None:
    """A late answer about it changes nothing."""
    proposer = _sent()
    proposer.take()
    proposer.drop()
    proposer.appended(0, ok=False)
    assert proposer.free
    assert proposer.take() is None
