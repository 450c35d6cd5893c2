"""Laws of `syncline.wire.ids`."""

from __future__ import annotations

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from syncline.wire.ids import conversion_id, id_hash, record_id, result_id

MEMBERS = [("image", 1000, "urn:camera:7", "1"), ("text", 1010, "urn:chat", "1"), ("audio", 990, "urn:mic", "ü")]
parts = st.tuples(st.text(max_size=4), st.integers(0, 99), st.text(max_size=4), st.text(max_size=4))


def test_ids_never_change() -> None:
    """Consumers keep ids: these values may change only with the contract's version."""
    assert id_hash("urn:camera:7", "1") == 6_361_350_785_545_723_291
    assert result_id("lobby", "earliest", MEMBERS) == "677c9aeeea0d01e1c800650e02342395"
    assert conversion_id("lobby", "image", 1000, "urn:camera:7", "1", "caption") == "c96abafc9d88d4a5dbcc92dcaff8f80d"
    alone = conversion_id("lobby", "image", 1000, "urn:camera:7", "1", "caption", ("media.image", 3, 12))
    assert alone == "59d9bdeb8a442ad3a29187fbd0dfda2d"
    assert record_id("media.image", 3, 12) == "media.image/3/12"


def test_the_recipe_of_the_documentation_gives_the_same_id() -> None:
    """Anybody can compute a result's id from docs/contract.md."""
    recipe = ["fused.v1", "lobby", "earliest", "audio", "990", "urn:mic", "ü"]
    recipe += ["image", "1000", "urn:camera:7", "1", "text", "1010", "urn:chat", "1"]
    data = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in recipe)
    assert result_id("lobby", "earliest", MEMBERS) == blake2b(data, digest_size=16).hexdigest()


def test_the_recipe_of_a_conversions_id_too() -> None:
    """Of an event in a set it is the event's own; of one in no set the record's place is in it."""
    recipe = ["converted.v1", "lobby", "audio", "990", "urn:mic", "ü", "transcript"]
    for alone, parts in ((None, recipe), (("media.audio", 3, 12), [*recipe, "media.audio", "3", "12"])):
        data = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        name = conversion_id("lobby", "audio", 990, "urn:mic", "ü", "transcript", alone)
        assert name == blake2b(data, digest_size=16).hexdigest()


@given(st.permutations(MEMBERS))
def test_the_order_of_members_does_not_matter(members: list[tuple[str, int, str, str]]) -> None:
    """A set is a set."""
    assert result_id("lobby", "earliest", members) == result_id("lobby", "earliest", MEMBERS)


@given(st.lists(parts, max_size=3), st.lists(parts, max_size=3))
def test_different_members_have_different_ids(
    left: list[tuple[str, int, str, str]], right: list[tuple[str, int, str, str]]
) -> None:
    """Parts cannot run into each other: ("ab", "c") is not ("a", "bc")."""
    same = sorted(left) == sorted(right)
    assert (result_id("s", "earliest", left) == result_id("s", "earliest", right)) == same


@given(st.text(), st.text())
def test_hashes_fit_into_int64(source: str, event_id: str) -> None:
    """Every language's signed 64-bit integer holds a hash."""
    assert 0 <= id_hash(source, event_id) < 2**63


def test_a_retry_is_no_duplicate_and_the_same_retry_twice_is_one() -> None:
    """An event that was a dead letter may be sent again under its own id; each further retry is another."""
    hashes = [id_hash("urn:camera:7", "1", retries) for retries in (0, 1, 2, 1)]
    assert hashes[1] == hashes[3]
    assert len(set(hashes)) == 3


def test_a_restarted_counter_gives_another_id() -> None:
    """The time is part of the id: a producer may count from 1 again after a restart."""
    later = [(lane, time_ms + 1, source, event_id) for lane, time_ms, source, event_id in MEMBERS]
    assert result_id("lobby", "earliest", later) != result_id("lobby", "earliest", MEMBERS)
