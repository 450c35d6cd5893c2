"""Which member of a group gets which partition numbers: as even as can be, with as few moved as can be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def balance(held: Mapping[str, Iterable[int]], n_partitions: int) -> dict[str, list[int]]:
    """Share the partition numbers 0 to `n_partitions` - 1 out among the members, within one of each other.

    held: by member, what it says that it had; two may say the same, and numbers that are no more are passed over. A
    member keeps what it had up to its share, and those that had most have the larger shares, so that nothing moves
    that need not. The same answer for the same input, whatever its order.
    """
    kept = _kept_by_one_each(held, n_partitions)
    shares = _shares(kept, n_partitions)
    for member, numbers in kept.items():
        del numbers[shares[member] :]
    taken = {number for numbers in kept.values() for number in numbers}
    free = [number for number in reversed(range(n_partitions)) if number not in taken]
    for member, numbers in kept.items():
        while len(numbers) < shares[member]:
            numbers.append(free.pop())
    return {member: sorted(numbers) for member, numbers in kept.items()}


def _kept_by_one_each(held: Mapping[str, Iterable[int]], n_partitions: int) -> dict[str, list[int]]:
    """What each had, each number with one member alone: of several that claim it, the one that has fewest so far."""
    kept: dict[str, list[int]] = {member: [] for member in sorted(held)}
    claimants: dict[int, list[str]] = {}
    for member in kept:
        for number in {*held[member]} & {*range(n_partitions)}:
            claimants.setdefault(number, []).append(member)
    # First what one member alone claims, so that what is left to choose evens out.
    for number, members in sorted(claimants.items(), key=lambda claim: (len(claim[1]), claim[0])):
        kept[min(members, key=lambda member: (len(kept[member]), member))].append(number)
    return kept


def _shares(kept: Mapping[str, list[int]], n_partitions: int) -> dict[str, int]:
    each, n_larger = divmod(n_partitions, len(kept))
    by_size = sorted(kept, key=lambda member: (-len(kept[member]), member))
    return {member: each + (rank < n_larger) for rank, member in enumerate(by_size)}
