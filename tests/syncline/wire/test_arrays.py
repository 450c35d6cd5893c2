"""Laws of `syncline.wire.arrays`."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from syncline.errors import ContractError
from syncline.wire.arrays import DTYPES, MAX_ARRAY_BYTES, Array, from_numpy, to_numpy

arrays = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


@given(arrays)
def test_arrays_come_back(values: np.ndarray) -> None:
    """Every dtype and shape survives the wire, byte for byte."""
    decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(from_numpy(values)), type=Array)
    back = to_numpy(decoded)
    assert (back.dtype, back.shape) == (values.dtype, values.shape)
    assert back.tobytes() == values.tobytes()


def test_big_endian_and_strided_arrays_are_put_in_order() -> None:
    """Whatever the memory looks like, the wire is little-endian, row by row."""
    values = np.arange(12, dtype=">f4").reshape(3, 4).T
    array = from_numpy(values)
    assert array.dtype == "<f4"
    assert to_numpy(array).tolist() == values.tolist()


def test_values_need_no_numpy() -> None:
    """`values` unpacks row by row."""
    assert from_numpy(np.array([[1.5, 2], [3, 4]], np.float16)).values() == [1.5, 2, 3, 4]


def test_decoding_copies_nothing() -> None:
    """The decoded array is a view into the message."""
    message = msgspec.msgpack.encode(from_numpy(np.zeros(1000, np.float32)))
    assert msgspec.msgpack.decode(message, type=Array).data.obj is message


@pytest.mark.parametrize(
    ("dtype", "shape", "n_bytes"),
    [
        ("|O", (1,), 8),
        ("<U4", (1,), 16),
        (">f4", (1,), 4),
        ("<f4", (2,), 4),
        ("<f4", (2,), 12),
        ("<f4", (-1, -1), 4),
        ("<f4", (1,) * 9, 4),
        ("<f4", (2**62, 4), 0),
        ("|u1", (MAX_ARRAY_BYTES + 1,), 0),
    ],
)
def test_lying_arrays_are_refused(dtype: str, shape: tuple[int, ...], n_bytes: int) -> None:
    """A dtype off the list, a shape unlike the data and sizes past the cap never reach numpy."""
    array = Array(dtype, shape, memoryview(bytes(n_bytes)))
    for use in (array.check, array.values, lambda: to_numpy(array)):
        with pytest.raises(ContractError) as caught:
            use()
        assert caught.value.reason == "bad_array"


@pytest.mark.parametrize("values", [np.array([object()]), np.array(["text"]), np.array([1j])])
def test_arrays_of_anything_else_are_not_written(values: np.ndarray) -> None:
    """Objects would need pickle; they are refused before they are sent."""
    with pytest.raises(ContractError, match="bad_array"):
        from_numpy(values)


def test_a_size_of_nought_hides_no_huge_one() -> None:
    """Their product is nought, so the data fit; numpy makes no such array, and raises its own error."""
    array = Array("|u1", (2, 2**62, 0), memoryview(b""))
    for use in (array.check, array.values, lambda: to_numpy(array)):
        with pytest.raises(ContractError, match="bad_array"):
            use()
    assert to_numpy(Array("<f4", (3, 0), memoryview(b""))).shape == (3, 0)
