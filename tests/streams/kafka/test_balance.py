"""streams/kafka/assignor.py: the choice itself, without Kafka, over whole lives of groups."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count

import pytest

from streams.kafka.assignor import balance

MAX_PARTITIONS, MAX_WORKERS = 16, 9
STEPS, LIVES = 25, 12


def lives(n_partitions: int) -> Iterator[tuple[Mapping[str, list[int]], dict[str, list[int]]]]:
    """What was held and what was chosen, for each step of groups whose workers join and leave one by one."""
    for seed in range(LIVES):
        rng, names = random.Random(f"{n_partitions} {seed}"), count()
        held: dict[str, list[int]] = {}
        for _ in range(STEPS):
            if not held or (len(held) < MAX_WORKERS and rng.random() < 0.55):
                held[f"{rng.getrandbits(32):x}-{next(names)}"] = []
            else:
                del held[rng.choice(sorted(held))]
            if held:
                chosen = balance(held, n_partitions)
                yield held, chosen
                held = chosen


@pytest.mark.parametrize("n_partitions", range(1, MAX_PARTITIONS + 1))
def test_each_number_has_one_worker_and_each_worker_as_many_as_any_other(n_partitions: int) -> None:
    """Within one: so each has work wherever there are as many partitions as workers."""
    for held, chosen in lives(n_partitions):
        assert chosen.keys() == held.keys()
        assert sorted(number for numbers in chosen.values() for number in numbers) == list(range(n_partitions))
        sizes = [len(numbers) for numbers in chosen.values()]
        assert max(sizes) - min(sizes) <= 1, chosen


@pytest.mark.parametrize("n_partitions", range(1, MAX_PARTITIONS + 1))
def test_nothing_moves_that_need_not(n_partitions: int) -> None:
    """As many stay as can stay in any choice that is even: what those over their share have too much of moves."""
    for held, chosen in lives(n_partitions):
        each, n_larger = divmod(n_partitions, len(held))
        sizes = [len(numbers) for numbers in held.values()]
        most = sum(min(size, each) for size in sizes) + min(n_larger, sum(size > each for size in sizes))
        assert sum(len({*numbers} & {*chosen[member]}) for member, numbers in held.items()) == most


@pytest.mark.parametrize("n_partitions", range(1, MAX_PARTITIONS + 1))
def test_a_group_that_stays_as_it_is_keeps_what_it_has(n_partitions: int) -> None:
    """A rebalance alone, such as after a lost connection, moves nothing, whatever order members are named in."""
    for _, chosen in lives(n_partitions):
        assert balance(dict(reversed(chosen.items())), n_partitions) == chosen


def test_claims_of_the_same_numbers_are_settled_evenly() -> None:
    """One that was away says that it has what others have by now, and numbers that are no more."""
    rng = random.Random(3)
    for _ in range(2_000):
        n_partitions, n_workers = rng.randint(1, MAX_PARTITIONS), rng.randint(1, MAX_WORKERS)
        held = {f"w{n}": rng.sample(range(20), rng.randint(0, 20)) for n in range(n_workers)}
        chosen = balance(held, n_partitions)
        counted = Counter(number for numbers in chosen.values() for number in numbers)
        assert counted == Counter(range(n_partitions))
        assert max(map(len, chosen.values())) - min(map(len, chosen.values())) <= 1


def test_one_that_comes_back_with_old_claims_takes_no_more_than_its_share() -> None:
    """Its successor keeps the rest."""
    assert balance({"back": [0, 1], "successor": [0, 1, 2, 3]}, 4) == {"back": [0, 1], "successor": [2, 3]}
