"""Versions of the decision log: what a reader takes, and what it must not pass over."""

from __future__ import annotations

import msgspec
import pytest

from streams.decisions.entries import MAJOR, MINOR, Batch, Claim, LogRecord, decode_entry, encode_entry
from streams.join.settings import JoinSettings
from syncline.errors import NewerVersionError
from tests.support.driven import TOPICS, Driven, records_of
from tests.support.worlds import media_of

SETTINGS = JoinSettings(tolerance_ms=45, max_wait_ms=10**8)
CLAIM = encode_entry(Claim("w", 1, 0, 0))
ONE = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
NEWER = b"%d.0" % (MAJOR + 1)


@pytest.mark.parametrize("version", [None, b"1.0", b"%d.%d" % (MAJOR, MINOR), b"%d.%d" % (MAJOR, MINOR + 7)])
def test_an_entry_of_this_major_version_is_read(version: bytes | None) -> None:
    """One without a header is of version 1.0, which wrote none; a minor number never hinders."""
    assert decode_entry(LogRecord(0, CLAIM, version)) == Claim("w", 1, 0, 0)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\xc1", CLAIM[:-1], msgspec.msgpack.encode(["vote", 1])])
def test_bytes_of_somebody_else_are_passed_over(data: bytes) -> None:
    """They have no version, so nothing of ours is in them."""
    assert decode_entry(LogRecord(3, data)) is None


@pytest.mark.parametrize(
    "data", [b"garbage", CLAIM[:-1], msgspec.msgpack.encode(["vote", 1]), b"\x93\xa5claim\xa1\xff"]
)
def test_an_entry_with_a_version_that_cannot_be_read_is_not_passed_over(data: bytes) -> None:
    """Whoever wrote it broke the rules: there may be a decision in it."""
    with pytest.raises(NewerVersionError, match=r"offset 3 is of version 1\.4 and cannot be read"):
        decode_entry(LogRecord(3, data, b"1.4"))


@pytest.mark.parametrize("version", [NEWER, b"12.0"])
def test_a_newer_major_version_is_not_passed_over(version: bytes) -> None:
    """Not even where its bytes look like an entry of ours: their meaning may be another."""
    with pytest.raises(NewerVersionError, match=rf"offset 3 is of version {version.decode()}.*this worker reads"):
        decode_entry(LogRecord(3, CLAIM, version))


@pytest.mark.parametrize("version", [b"", b"one", b"1", b"1.", b"0.1", b"1.0.0", b"\xff", b"-1.0"])
def test_a_version_that_is_none_is_not_passed_over(version: bytes) -> None:
    """Nobody knows what that writer meant."""
    with pytest.raises(NewerVersionError, match="which is none"):
        decode_entry(LogRecord(3, CLAIM, version))


def test_recovery_stops_at_an_entry_of_a_newer_version() -> None:
    """Whoever takes over after a newer worker decides nothing: that one's decisions would not be obeyed."""
    first = Driven(SETTINGS).feed(ONE).settle()
    records = [*records_of(first.log), LogRecord(len(first.log), encode_entry(Batch(0, 9, [])), NEWER)]
    second = Driven(SETTINGS, list(first.log), worker="b", generation=2)
    recovery = second.owner.recovery(0, len(records), second.now_ms)
    request = next(recovery)
    with pytest.raises(NewerVersionError):
        recovery.send(records[request.start : request.stop])


def test_an_owner_stops_at_an_entry_of_a_newer_version() -> None:
    """What was read before it in the same poll counts, what comes behind it does not."""
    first = Driven(SETTINGS)
    first.reads_log = False
    first.feed(ONE).settle()
    (unread,) = records_of(first.log, 1)
    newer = LogRecord(unread.offset + 1, encode_entry(Claim("c", 9, 0, 0)), NEWER)
    with pytest.raises(NewerVersionError):
        first.owner.on_log([unread, newer], first.now_ms)
    assert [len(task.keys) for task in first.owner.take_commands().fuse] == [len(TOPICS)]
    assert first.owner.state == "owning"
