"""Telephone speech: the two ways of ITU-T G.711 to say a sample in eight bits, as tables of all 256 of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def _mu_law() -> npt.NDArray[np.float32]:
    """Sign, three bits of exponent, four of mantissa, all inverted; 14 bits of range, a bias of 33."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = ((2 * mantissa + 33) << exponent) - 33
    return (np.where(code & 0x80, -size, size) / 2**13).astype(np.float32)


def _a_law() -> npt.NDArray[np.float32]:
    """Sign (set where positive), exponent, mantissa, every other bit inverted; 13 bits of range, no bias."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = np.where(exponent == 0, 2 * mantissa + 1, (2 * mantissa + 33) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, size, -size) / 2**12).astype(np.float32)


A_LAW, MU_LAW = _a_law(), _mu_law()
"""float32 (256,), full scale is [-1, 1]: the sample that each byte stands for."""
