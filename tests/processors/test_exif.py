"""The orientation out of EXIF blocks, whole and broken."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from processors.image import UPRIGHT, orientation


def block(order: str, value: int, kind: int = 3) -> bytes:
    """A TIFF block with one other tag and the orientation."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    tags = struct.pack(order + "HHIHH", 0x010F, 3, 1, 7, 0) + struct.pack(order + "HHIHH", 0x0112, kind, 1, value, 0)
    return head + struct.pack(order + "H", 2) + tags


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_both_byte_orders_with_and_without_prefix(order: str, prefix: bytes) -> None:
    """JPEG keeps the prefix, PNG and WebP do not."""
    assert orientation(prefix + block(order, 6)) == 6


def test_what_pillow_writes_is_read() -> None:
    """Pillow's own EXIF writer agrees."""
    exif = Image.Exif()
    exif[0x0112] = 8
    assert orientation(exif.tobytes()) == 8


@pytest.mark.parametrize(("value", "kind"), [(0, 3), (9, 3), (6, 4), (65_535, 3)])
def test_a_value_that_is_none_is_upright(value: int, kind: int) -> None:
    """1 to 8 as a short, or nothing."""
    assert orientation(block("<", value, kind)) == UPRIGHT


@given(st.binary(max_size=200))
def test_noise_is_upright_or_an_orientation(noise: bytes) -> None:
    """Whatever stands there, the answer is 1 to 8."""
    assert 1 <= orientation(b"Exif\0\0MM\0*" + noise) <= 8
