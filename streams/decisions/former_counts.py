"""The numbers of partitions by which a record may have been placed, after its topics grew. Pure.

    offset of a topic     0 ......... 700 ............... 900 ............
    partitions            2           3                   3
    what claims say       2           2                   3, placed: 2 below 900
    in its place by       2, 3        2, 3                3

The first owner that counts more partitions than the log says cannot know at which offset that happened. It asks for the
topics' ends and accepts both numbers below them. Its claims say so, and so do those of later owners that begin below
these offsets, since a commit may have failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streams.decisions.entries import Claim, FormerPlacement
from streams.decisions.recovery import NotRecoverableError


class MorePartitionsError(NotRecoverableError):
    """The log counts more partitions than this worker: it must count again."""

    may_retry = True

    def __init__(self, theirs: int, ours: int) -> None:
        super().__init__(
            f"decisions: the log says that the topics have {theirs} partitions, and this worker has counted {ours}. "
            "It does nothing here until it has counted again; if the topics do have fewer, media topics were deleted "
            "and created again without the topic decisions, which must be created again too"
        )


def require_no_more(claims: Iterable[Claim | None], n_partitions: int) -> None:
    """Raise `MorePartitionsError` if a claim counts more than `n_partitions`; 0 in a claim means unknown."""
    most = max((claim.n_partitions for claim in claims if claim is not None), default=0)
    if 0 < n_partitions < most:
        raise MorePartitionsError(most, n_partitions)


def former_counts(claims: Iterable[Claim], n_partitions: int) -> set[int]:
    """Return the numbers of partitions below `n_partitions` that these claims count."""
    return {claim.n_partitions for claim in claims if 0 < claim.n_partitions < n_partitions}


def still_placed(claims: Iterable[Claim], committed: Mapping[str, int]) -> tuple[FormerPlacement, ...]:
    """Return the former placements of these claims that concern uncommitted records."""
    said = merged(placed for claim in claims for placed in claim.placed)
    return tuple(one for one in said if any(offset > committed.get(topic, 0) for topic, offset in one.below.items()))


def merged(placed: Iterable[FormerPlacement]) -> tuple[FormerPlacement, ...]:
    """Merge placements: each number of partitions once, with its highest offsets."""
    below: dict[int, dict[str, int]] = {}
    for one in placed:
        known = below.setdefault(one.n_partitions, {})
        for topic, offset in one.below.items():
            known[topic] = max(offset, known.get(topic, 0))
    return tuple(FormerPlacement(n_partitions, known) for n_partitions, known in sorted(below.items()))


def other_counts(placed: Iterable[FormerPlacement], topic: str, offset: int) -> list[int]:
    """Return the former numbers of partitions by which this record may have been placed."""
    return [one.n_partitions for one in placed if offset < one.below.get(topic, 0)]
