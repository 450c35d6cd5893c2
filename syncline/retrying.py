"""Dead letters sent again: the original record, with two headers that say that it is a retry, and of what.

A retry is a new record of its media topic, with the original's key, bytes, headers and event time; the dead letter
stays where it is. Which letters were retried is told by the retries themselves: each names its letter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from syncline import contract as c
from syncline.deadletters import DeadLetter
from syncline.placement import partition_for
from syncline.timestamps import format_time

_OURS = (c.H_RETRIES, c.H_RETRY_OF)


class Retry(NamedTuple):
    """A record to send again: unprefixed topic, key, value (None where the original's was null) and headers."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def why_not(letter: DeadLetter) -> str:
    """Why a dead letter cannot be sent again as the record that it was, or "" where it can."""
    if letter.cut:
        return f"not all of the original is here ({', '.join(letter.cut)}); it may still be at its origin"
    if letter.topic not in c.MEDIA_TOPICS:
        return f"its origin {letter.topic[:64]!r} is no media topic"
    if not letter.key:
        return "it has no key, so it belongs in no partition"
    return ""


def n_retries(letter: DeadLetter) -> int:
    """How many times the original had been sent again when it became this dead letter."""
    value = dict(letter.headers).get(c.H_RETRIES, b"")
    return int(value) if value.isdigit() and len(value) <= len(str(c.MAX_RETRIES)) else 0


def retry(letter: DeadLetter) -> Retry:
    """The record to send to the topic that the original was in; only for letters that `why_not` has nothing against.

    Where the original had no event time, its own timestamp was it: the retry says so, since it gets a new one.
    """
    headers = [(name, value) for name, value in letter.headers if name not in _OURS]
    if letter.reason != "bad_time" and all(name != c.H_TIME for name, _ in headers):
        headers.append((c.H_TIME, format_time(letter.timestamp_ms).encode()))
    headers.append((c.H_RETRIES, str(min(n_retries(letter) + 1, c.MAX_RETRIES)).encode()))
    headers.append((c.H_RETRY_OF, letter.id.encode()))
    return Retry(letter.topic, letter.key or b"", letter.data, headers)


def place_of_retries(letter: DeadLetter, n_partitions: int) -> tuple[str, int]:
    """The topic and partition in which its retries are, if there are any."""
    return letter.topic, partition_for(letter.key or b"", n_partitions)


def retried_ids(headers_of_records: Iterable[Iterable[tuple[str, bytes | None]]], wanted: Collection[str]) -> set[str]:
    """Which of the wanted letters some records of the media topics are retries of."""
    found: set[str] = set()
    for headers in headers_of_records:
        for name, value in headers:
            if name == c.H_RETRY_OF and value and (letter_id := value.decode(errors="replace")) in wanted:
                found.add(letter_id)
    return found
