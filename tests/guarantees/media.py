"""One media record to be sent, and the ways in which it can be broken without touching its payload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from syncline.wire import contract as c
from syncline.wire.events import MediaEvent


@dataclass(frozen=True, slots=True)
class Media:
    """One media record to be sent; `topic` is unprefixed. `kind` is for people: ok, late, no_key, ...

    `event` is what it was made of, before anything of it was broken.
    """

    event: MediaEvent
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[Any]
    kind: str = "ok"


def _with_header(media: Media, name: str, value: bytes | None) -> Media:
    others = [header for header in media.headers if header[0] != name]
    return replace(media, headers=others if value is None else [*others, (name, value)])


BREAKS: dict[str, Callable[[Media, int], Media]] = {
    "no_key": lambda media, _: replace(media, key=None),
    "key_mismatch": lambda media, _: _with_header(media, c.H_SUBJECT, b"another-stream"),
    "misrouted": lambda media, n_partitions: replace(media, partition=(media.partition + 1) % n_partitions),
    "missing_header": lambda media, _: _with_header(media, c.H_SUBJECT, None),
    "bad_header": lambda media, _: _with_header(media, c.H_SUBJECT, b"\xff\xfe"),
    "unknown_type": lambda media, _: _with_header(media, c.H_TYPE, b"syncline.media.smell.v1"),
    "bad_time": lambda media, _: _with_header(media, c.H_TIME, b"yesterday"),
    "clock": lambda media, _: _with_header(media, c.H_TIME, b"2150-01-01T00:00:00.000Z"),
    "bad_content_type": lambda media, _: _with_header(media, c.H_CONTENT_TYPE, b"application/x-nothing"),
    "empty_value": lambda media, _: replace(media, value=b""),
    "null_value": lambda media, _: replace(media, value=None),
}
"""By dead-letter reason: what makes of a record, in one of so many partitions, one that ends for that reason.

Its id and source stay, by which it is known again where it was sent.
"""

TOO_LARGE = bytes(3 * 2**20)
"""No producer takes a value of that size: such a send fails for certain."""
