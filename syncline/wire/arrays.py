"""Arrays on the wire: `{dtype, shape, data}`, checked, never pickled.

    {"dtype": "<f4", "shape": [2, 3], "data": 24 bytes, row by row}

Any language reads that. Decoding copies nothing: `data` is a view into the message and keeps all of it alive,
so copy what is kept for long (`to_numpy(array).copy()`).
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import msgspec

from syncline.errors import ContractError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np

# Name on the wire -> (bytes an element, code of struct). Little-endian throughout; no objects, no text.
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
    """An array of `shape`, row by row in `data`. Made by `from_numpy`; `check` it when it came from elsewhere."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview

    def check(self) -> None:
        """Raise `ContractError("bad_array")` unless dtype, shape and size fit each other and the limits."""
        known = DTYPES.get(self.dtype)
        if known is None:
            raise ContractError("bad_array", f"dtype {self.dtype[:16]!r}, takes {', '.join(DTYPES)}")
        if len(self.shape) > MAX_DIMENSIONS or any(size < 0 for size in self.shape):
            raise ContractError("bad_array", f"shape {self.shape[:16]}, takes at most {MAX_DIMENSIONS} sizes from 0")
        n_bytes = math.prod(self.shape) * known[0]
        # A size of 0 makes nothing of any others, which numpy does not take all the same.
        if (n_at_most := math.prod(size or 1 for size in self.shape) * known[0]) > MAX_ARRAY_BYTES:
            raise ContractError("bad_array", f"{n_at_most} bytes, at most {MAX_ARRAY_BYTES} are taken")
        if n_bytes != self.data.nbytes:
            raise ContractError(
                "bad_array", f"shape {self.shape} of {self.dtype} is {n_bytes} bytes, data has {self.data.nbytes}"
            )

    def values(self) -> list[float]:
        """All elements, row by row, as Python numbers; needs no numpy."""
        self.check()
        return list(struct.unpack(f"<{math.prod(self.shape)}{DTYPES[self.dtype][1]}", self.data))


def from_numpy(values: np.ndarray[Any, Any]) -> Array:
    """A numpy array for the wire: little-endian, contiguous, not copied where it already is.

    Raises `ContractError("bad_array")` for a dtype outside `DTYPES` or too many elements.
    """
    import numpy as np

    dtype = values.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:  # before the view: numpy gives none of objects
        raise ContractError("bad_array", f"dtype {dtype.str}, takes {', '.join(DTYPES)}")
    little = np.ascontiguousarray(values, dtype=dtype)
    # view(uint8) because a memoryview of float16 does not cast to bytes.
    array = Array(dtype.str, values.shape, little.reshape(-1).view(np.uint8).data)
    array.check()
    return array


def to_numpy(array: Array) -> np.ndarray[Any, Any]:
    """The array as a read-only numpy view of the message, shape and dtype as it says; raises `ContractError`."""
    try:
        import numpy as np
    except ImportError as error:
        raise MissingExtraError("Array to numpy", "service") from error
    array.check()
    return np.frombuffer(array.data, dtype=np.dtype(array.dtype)).reshape(array.shape)
