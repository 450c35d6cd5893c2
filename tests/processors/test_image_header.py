"""Sizes from headers: they agree with Pillow, and files built to waste time are refused."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from processors.image_header import MAX_SCANS, read_size, sniff
from syncline.errors import MediaError
from tests.support.media import encoded, picture, png_chunk, small_files

IMAGES = {name: file for name, file in small_files().items() if file[0].startswith("image")}


@pytest.mark.parametrize("name", IMAGES)
def test_the_size_is_the_one_that_pillow_sees(name: str) -> None:
    """All small files are 12 x 8."""
    content_type, data = IMAGES[name]
    assert sniff(data) == content_type
    assert read_size(data, content_type) == (12, 8)


def reason_of(data: bytes, content_type: str) -> str:
    """The reason for which `read_size` refuses."""
    with pytest.raises(MediaError) as caught:
        read_size(data, content_type)
    return caught.value.reason


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    """Each scan costs a pass over the whole picture."""
    data = IMAGES["jpeg-progressive"][1]
    at = data.rindex(b"\xff\xda")
    assert reason_of(data[:at] + data[at:-2] * MAX_SCANS + data[-2:], "image/jpeg") == "image_too_many_parts"


def test_a_jpeg_full_of_fill_bytes_is_refused() -> None:
    """Pillow would step over them one by one."""
    data = IMAGES["jpeg"][1]
    assert reason_of(data[:2] + b"\xff" * 100_000 + data[2:], "image/jpeg") == "image_too_many_parts"


def test_a_jpeg_of_endless_segments_is_refused() -> None:
    """Comments without end."""
    data = IMAGES["jpeg"][1]
    assert reason_of(data[:2] + b"\xff\xfe\0\2" * 10_000 + data[2:], "image/jpeg") == "image_too_many_parts"


def test_a_jpeg_with_two_frame_headers_is_refused() -> None:
    """The second would be the one that is decoded."""
    data = IMAGES["jpeg"][1]
    at = data.index(b"\xff\xc0")
    frame = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    assert reason_of(data[:at] + frame + data[at:], "image/jpeg") == "image_header"


@pytest.mark.parametrize("progressive", [False, True])
def test_the_emptiest_large_jpeg_is_read_and_one_that_only_says_so_is_refused(progressive: bool) -> None:
    """One colour compresses best; fewer bytes than that cannot hold the pixels."""
    data = encoded(Image.new("L", (4_000, 4_000), 128), "JPEG", progressive=progressive, optimize=True)
    assert read_size(data, "image/jpeg") == (4_000, 4_000)
    assert reason_of(data[: 4_000 * 4_000 // 512 - 1], "image/jpeg") == "image_header"


def test_a_png_of_a_million_chunks_is_refused() -> None:
    """Empty chunks cost twelve bytes each."""
    data = IMAGES["png"][1]
    assert reason_of(data[:33] + png_chunk(b"abCd", b"") * 100_000 + data[33:], "image/png") == "image_too_many_parts"


@pytest.mark.parametrize("kind", [b"IHDR", b"iCCP", b"eXIf"])
def test_a_png_chunk_that_may_stand_once_stands_once(kind: bytes) -> None:
    """A thousand colour profiles would each be unpacked."""
    data = IMAGES["png"][1]
    twice = png_chunk(kind, data[16:29]) * 2
    assert reason_of(data[:33] + twice + data[33:], "image/png") == "image_header"


def test_a_side_of_zero_is_refused() -> None:
    """0 x 8 is no picture."""
    data = IMAGES["png"][1]
    assert reason_of(data[:8] + png_chunk(b"IHDR", bytes(4) + data[20:29]) + data[33:], "image/png") == "image_header"


def test_a_webp_that_claims_more_bytes_than_are_there_is_refused() -> None:
    """The RIFF length is checked."""
    data = encoded(picture(), "WEBP")
    assert reason_of(data[:4] + struct.pack("<I", 2**31) + data[8:], "image/webp") == "image_header"
