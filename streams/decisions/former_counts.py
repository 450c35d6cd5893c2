"""By which numbers of partitions a record may have been placed, before and after its topics grew. Pure.

    offset of a topic     0 ......... 700 ............... 900 ............
    partitions            2           3                   3
    what claims say       2           2                   3, placed: 2 below 900
    in its place by       2, 3        2, 3                3

The first owner that counts more partitions than the log's last word cannot tell where in the topics that happened; it
asks how far they reach, and below that it takes both. Its claims say so, and those of every owner after it that begins
below that offset: what is handed to a commit may not have got there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streams.decisions.entries import Claim, FormerPlacement
from streams.decisions.recovery import NotRecoverableError


class MorePartitionsError(NotRecoverableError):
    """The log says that the topics have more partitions than this worker has counted: it must count again."""

    may_retry = True

    def __init__(self, theirs: int, ours: int) -> None:
        super().__init__(
            f"decisions: the log says that the topics have {theirs} partitions, and this worker has counted {ours}. "
            "It does nothing here until it has counted again; where the topics do have fewer, media topics were "
            "deleted and made anew beside the topic decisions, which must be made anew with them"
        )


def require_no_more(claims: Iterable[Claim | None], n_partitions: int) -> None:
    """Raise `MorePartitionsError` where a claim counts more than `n_partitions`; 0 counts nothing."""
    most = max((claim.n_partitions for claim in claims if claim is not None), default=0)
    if 0 < n_partitions < most:
        raise MorePartitionsError(most, n_partitions)


def former_counts(claims: Iterable[Claim], n_partitions: int) -> set[int]:
    """The numbers of partitions, fewer than `n_partitions`, that topics had when these claims were written."""
    return {claim.n_partitions for claim in claims if 0 < claim.n_partitions < n_partitions}


def still_placed(claims: Iterable[Claim], committed: Mapping[str, int]) -> tuple[FormerPlacement, ...]:
    """What these claims say of records that are not committed."""
    said = merged(placed for claim in claims for placed in claim.placed)
    return tuple(one for one in said if any(offset > committed.get(topic, 0) for topic, offset in one.below.items()))


def merged(placed: Iterable[FormerPlacement]) -> tuple[FormerPlacement, ...]:
    """All of it, each number of partitions once, up to its highest offsets."""
    below: dict[int, dict[str, int]] = {}
    for one in placed:
        known = below.setdefault(one.n_partitions, {})
        for topic, offset in one.below.items():
            known[topic] = max(offset, known.get(topic, 0))
    return tuple(FormerPlacement(n_partitions, known) for n_partitions, known in sorted(below.items()))


def other_counts(placed: Iterable[FormerPlacement], topic: str, offset: int) -> list[int]:
    """The numbers of partitions, beside the present one, by which this record may have been placed."""
    return [one.n_partitions for one in placed if offset < one.below.get(topic, 0)]
