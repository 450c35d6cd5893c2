"""Records whose batch cannot be read: all that is known of them is their place.

A producer packs records into batches, and a batch may be compressed. One that this machine cannot unpack would end
every client that meets it, again and again. Instead `syncline.fetched` gives each of its offsets a record that says
why, in headers that no producer can make: their name is of a type of ours. A worker makes dead letters of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncline import contract as c


class _Mark(str):
    __slots__ = ()


_NAME = _Mark("unreadable")


def unreadable_headers(why: str) -> list[tuple[str, bytes | None]]:
    """The headers of a record that cannot be read; `why` is for people."""
    return [(_NAME, why[: c.MAX_DETAIL].encode(errors="replace"))]


def why_unreadable(headers: Sequence[tuple[str, bytes | None]] | None) -> str | None:
    """What `unreadable_headers` said, or None where the headers are a producer's."""
    if headers and type(headers[0][0]) is _Mark:
        return (headers[0][1] or b"").decode()
    return None
