"""The version of the decision log's form: each record of the log carries it in a header.

    syncline_log_version: 1.0        MAJOR.MINOR of the writer; a record without it is of 1.0, which wrote none

A reader of 1.x reads every 1.y: a minor number only adds fields at the end, with defaults. A major number that it
does not know it must not pass over: a decision that it does not obey is a record with two outcomes. What counts as
which, and how a rolling upgrade goes: docs/design.md, section 12, "Versions".
"""

from __future__ import annotations

import re

from syncline.errors import NewerVersionError

HEADER = "syncline_log_version"
MAJOR, MINOR = 1, 3
"""What this code writes. It reads every minor version of `MAJOR` and of the majors before it.

1.2 differs from 1.1 in results alone: conversions say more, and there are ones in sound. In 1.3 a claim names its
group, the settings that decide and the number of partitions, and a set says where its window ends.
"""
THIS_VERSION = f"{MAJOR}.{MINOR}"
WRITABLE_VERSIONS = ("1.2", THIS_VERSION)
"""What `decision_log_version` may be: the form of the release before, for as long as somebody may go back to it."""

_VERSION = re.compile(rb"([1-9][0-9]{0,3})\.([0-9]{1,4})")


def version_headers(version: str = THIS_VERSION) -> list[tuple[str, bytes]]:
    """The headers of every record of the log that is written in the form of `version`."""
    return [(HEADER, version.encode())]


def check_version(version: bytes, offset: int) -> None:
    """Raise `NewerVersionError` where the entry at `offset` is of a version that this code cannot read."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise unreadable(offset, f"says that it is of version {version[:20]!r}, which is none")
    if int(found[1]) > MAJOR:
        raise unreadable(offset, f"is of version {version.decode()}, and this worker reads {MAJOR}.x")


def unreadable(offset: int, what: str) -> NewerVersionError:
    """The error for the entry at `offset`; it says what to do."""
    return NewerVersionError(
        f"decisions: the entry at offset {offset} {what}: a newer Syncline wrote it; start workers of that release "
        "in place of this one. Nothing is decided here until then, and nothing is lost"
    )
