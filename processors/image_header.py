"""A picture's width and height from its header, checked before Pillow sees the file.

Pillow allocates a WebP's canvas on opening, and walks JPEG fill bytes and PNG chunks one by one in Python. So sizes and
numbers of parts are limited here.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter

from processors.limits import refuse

MAX_SEGMENTS = 4_096
"""JPEG: marker segments before the first scan. Normal files have tens."""
MAX_SCANS = 32
"""JPEG: scans. Each costs a pass over the whole picture; progressive files have about ten."""
MAX_CHUNKS = 65_536
"""PNG: chunks. Encoders write 8 to 32 KiB a chunk."""
MAX_FILL_BYTES = 1_024
"""JPEG: fill bytes (0xFF) in a row."""

MAX_PIXELS_A_BYTE = 512
"""JPEG with Huffman codes: an 8 x 8 block takes at least a bit. libjpeg silently fills missing blocks with grey."""

_HUFFMAN = (0xC0, 0xC1, 0xC2)
_STARTS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n", "image/webp": b"RIFF"}
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ONCE = (b"IHDR", b"PLTE", b"iCCP", b"eXIf", b"tRNS", b"acTL")


def sniff(data: bytes) -> str | None:
    """Return the content type by the first bytes, or None."""
    for content_type, start in _STARTS.items():
        if data.startswith(start) and (content_type != "image/webp" or data[8:12] == b"WEBP"):
            return content_type
    return None


def read_size(data: bytes, content_type: str) -> tuple[int, int]:
    """Read (width, height) in pixels of a JPEG, PNG or WebP.

    Raises `MediaError`: `image_header`, `image_too_many_parts` or `image_undecodable` (a wrong checksum).
    """
    read = {"image/jpeg": _jpeg_size, "image/png": _png_size, "image/webp": _webp_size}[content_type]
    try:
        width, height = read(data)
    except (struct.error, IndexError) as error:
        raise refuse("image_header", f"{content_type}: the header is cut short") from error
    if width < 1 or height < 1:
        raise refuse("image_header", f"{content_type}: got {width} x {height} pixels, takes at least 1 x 1")
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    if (n_scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise refuse("image_too_many_parts", f"image/jpeg: got {n_scans} scans, takes at most {MAX_SCANS}")
    size: tuple[int, int] | None = None
    at = 2
    for _ in range(MAX_SEGMENTS):
        at, marker = _jpeg_marker(data, at)
        if marker == 0xDA and size:
            return size
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _FRAME_MARKERS:
            if size:
                raise refuse("image_header", "image/jpeg: two frame headers")
            height, width = struct.unpack_from(">HH", data, at + 3)
            if marker in _HUFFMAN and width * height > MAX_PIXELS_A_BYTE * len(data):
                raise refuse("image_header", f"image/jpeg: {len(data)} bytes cannot hold {width} x {height} pixels")
            size = (width, height)
        if length < 2 or marker in (0xDA, 0xD9):
            raise refuse("image_header", f"image/jpeg: segment 0x{marker:02x} of length {length} before the frame")
        at += length
    raise refuse("image_too_many_parts", f"image/jpeg: more than {MAX_SEGMENTS} segments before the first scan")


def _jpeg_marker(data: bytes, at: int) -> tuple[int, int]:
    """Return where the segment of the marker at `at` starts, and the marker."""
    end = at
    while data[end] == 0xFF:
        end += 1
        if end - at > MAX_FILL_BYTES:
            raise refuse("image_too_many_parts", f"image/jpeg: more than {MAX_FILL_BYTES} fill bytes")
    if end == at or data[end] == 0:
        raise refuse("image_header", f"image/jpeg: no marker at byte {at}")
    return end + 1, data[end]


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    seen: Counter[bytes] = Counter()
    at, kind = 8, b""
    for _ in range(MAX_CHUNKS):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        at += 12 + length
        if at > len(data) or (not seen and (kind != b"IHDR" or length != 13)):
            raise refuse("image_header", f"image/png: chunk {kind!r} of {length} bytes does not fit")
        # Pillow ignores the pixels' checksums and would pass a flipped bit on.
        if kind[:1].isupper() and zlib.crc32(data[at - 8 - length : at - 4]) != int.from_bytes(data[at - 4 : at]):
            raise refuse("image_undecodable", f"image/png: wrong checksum of chunk {kind!r}")
        seen[kind] += 1
        if kind == b"IEND":
            break
    else:
        raise refuse("image_too_many_parts", f"image/png: more than {MAX_CHUNKS} chunks")
    if any(seen[once] > 1 for once in _ONCE):
        raise refuse("image_header", "image/png: a chunk that may stand once stands twice")
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    (claimed,) = struct.unpack_from("<I", data, 4)
    if claimed + 8 > len(data):
        raise refuse("image_header", f"image/webp: header claims {claimed + 8} bytes, got {len(data)}")
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        data[29]  # cut short otherwise
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise refuse("image_header", f"image/webp: got first chunk {kind!r}, takes VP8, VP8L or VP8X")
    return width, height
