"""Arrays on the wire: `{dtype, shape, data}`, checked, never pickled.

    {"dtype": "<f4", "shape": [2, 3], "data": 24 bytes, row by row}

Decoding copies nothing: `data` is a view that keeps the whole message in memory. Copy what you keep for long:
`to_numpy(array).copy()`.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import msgspec

from syncline.errors import ContractError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np

# Name on the wire -> (bytes an element, `struct` code). Little-endian; no objects, no text.
DTYPES = {
    "|u1": (1, "B"),
    "|i1": (1, "b"),
    "<i2": (2, "h"),
    "<i4": (4, "i"),
    "<i8": (8, "q"),
    "<f2": (2, "e"),
    "<f4": (4, "f"),
    "<f8": (8, "d"),
}
MAX_DIMENSIONS = 8
MAX_ARRAY_BYTES = 64 * 2**20


class Array(msgspec.Struct, frozen=True):
    """An array as it is on the wire. `check` one that is not from this library.

    Attributes:
        dtype (str): one of `DTYPES`, e.g. `<f4`.
        shape (tuple[int, ...]): the sizes; at most 8.
        data (memoryview): the elements row by row, little-endian; at most 64 MiB.

    Example:
        >>> from syncline import Array
        >>> Array("<i2", (2,), memoryview(b"\\x01\\x00\\x02\\x00")).values()
        [1, 2]
    """

    dtype: str
    shape: tuple[int, ...]
    data: memoryview

    def check(self) -> None:
        """Check that dtype, shape and size agree and are within the limits.

        Raises:
            ContractError: `bad_array`, if they do not.
        """
        known = DTYPES.get(self.dtype)
        if known is None:
            raise ContractError("bad_array", f"dtype {self.dtype[:16]!r}, takes {', '.join(DTYPES)}")
        if len(self.shape) > MAX_DIMENSIONS or any(size < 0 for size in self.shape):
            raise ContractError("bad_array", f"shape {self.shape[:16]}, takes at most {MAX_DIMENSIONS} sizes from 0")
        n_bytes = math.prod(self.shape) * known[0]
        # numpy refuses huge sizes even beside a 0, so count a 0 as 1.
        if (n_at_most := math.prod(size or 1 for size in self.shape) * known[0]) > MAX_ARRAY_BYTES:
            raise ContractError("bad_array", f"{n_at_most} bytes, at most {MAX_ARRAY_BYTES} are taken")
        if n_bytes != self.data.nbytes:
            raise ContractError(
                "bad_array", f"shape {self.shape} of {self.dtype} is {n_bytes} bytes, data has {self.data.nbytes}"
            )

    def values(self) -> list[float]:
        """Return all elements row by row as Python numbers, without numpy.

        Raises:
            ContractError: as in `check`.
        """
        self.check()
        return list(struct.unpack(f"<{math.prod(self.shape)}{DTYPES[self.dtype][1]}", self.data))


def from_numpy(values: np.ndarray[Any, Any]) -> Array:
    """Make an `Array` of a numpy array; copy only what is not little-endian and contiguous.

    Args:
        values (np.ndarray[Any, Any]): of a dtype in `DTYPES`, at most 64 MiB.

    Returns:
        Array: the same shape and values.

    Raises:
        ContractError: `bad_array`: the dtype is not allowed, or the array is too large.

    Example:
        >>> import numpy as np
        >>> from syncline.wire.arrays import from_numpy
        >>> from_numpy(np.zeros((2, 3), np.float32)).shape
        (2, 3)
    """
    import numpy as np

    dtype = values.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:  # before the view, which numpy refuses for objects
        raise ContractError("bad_array", f"dtype {dtype.str}, takes {', '.join(DTYPES)}")
    little = np.ascontiguousarray(values, dtype=dtype)
    # view(uint8) because a memoryview of float16 does not cast to bytes.
    array = Array(dtype.str, values.shape, little.reshape(-1).view(np.uint8).data)
    array.check()
    return array


def to_numpy(array: Array) -> np.ndarray[Any, Any]:
    """Return a read-only numpy view of an array's data.

    Args:
        array (Array): e.g. the `embedding` of a `FusedResult`.

    Returns:
        np.ndarray[Any, Any]: of the array's shape and dtype.

    Raises:
        ContractError: as in `Array.check`.
        MissingExtraError: numpy is not installed.
    """
    try:
        import numpy as np
    except ImportError as error:
        raise MissingExtraError("Array to numpy", "service") from error
    array.check()
    return np.frombuffer(array.data, dtype=np.dtype(array.dtype)).reshape(array.shape)
