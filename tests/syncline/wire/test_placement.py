"""Laws of `syncline.wire.placement`."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import ContractError
from syncline.wire.placement import check_placement, murmur2, partition_for


@given(st.binary(max_size=300))
def test_murmur2_is_aiokafkas(data: bytes) -> None:
    """The hash agrees with aiokafka's, an independent port of Java's."""
    assert murmur2(data) == aiokafka_murmur2(data)


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_javas(data: bytes, signed: int) -> None:
    """The values that Kafka's own tests fix for Java's client."""
    assert murmur2(data) == signed % 2**32


@given(st.binary(min_size=1, max_size=64), st.integers(1, 200))
def test_partitions_are_those_of_aiokafkas_partitioner(key: bytes, n_partitions: int) -> None:
    """A plain aiokafka producer puts records where the worker expects them."""
    everywhere = list(range(n_partitions))
    assert partition_for(key, n_partitions) == DefaultPartitioner()(key, everywhere, everywhere)


@given(st.binary(min_size=1, max_size=64), st.integers(2, 64))
def test_only_one_partition_is_right(key: bytes, n_partitions: int) -> None:
    """check_placement accepts one partition and calls every other misrouted."""
    right = partition_for(key, n_partitions)
    check_placement(key, right, n_partitions)
    for wrong in set(range(n_partitions)) - {right}:
        with pytest.raises(ContractError) as caught:
            check_placement(key, wrong, n_partitions)
        assert caught.value.reason == "misrouted"
        assert "murmur2_random" in caught.value.detail


@given(st.binary(min_size=1, max_size=64), st.integers(2, 16), st.integers(17, 64))
def test_a_record_is_in_its_place_by_any_number_that_may_have_been_in_force(key: bytes, before: int, now: int) -> None:
    """While topics grow, producers place by the one number or the other; nowhere else is right."""
    right = {partition_for(key, before), partition_for(key, now)}
    for partition in range(now):
        if partition in right:
            check_placement(key, partition, now, [before])
        else:
            with pytest.raises(ContractError):
                check_placement(key, partition, now, [before])
