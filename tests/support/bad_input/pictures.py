"""Pictures that lie about their size or their parts, and pictures that unpack to more than anybody asked for."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.support.bad_input.case import FUSED, Case, media_case
from tests.support.bad_input.files import named
from tests.support.media import encoded, png_bomb, png_chunk

_BROKEN = ("image_header", "image_undecodable")
_PNG = b"\x89PNG\r\n\x1a\n"


def pictures() -> Iterator[Case]:
    """All of them."""
    yield from _png_lies()
    yield from _png_parts()
    yield from _jpeg_lies()
    yield from _jpeg_parts()
    yield from _webp_lies()
    yield from _bombs()


def _ihdr(width: int, height: int, *rest: int) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">II", width, height) + bytes(rest or (8, 2, 0, 0, 0)))


def _png(*chunks: bytes) -> bytes:
    return _PNG + b"".join(chunks) + png_chunk(b"IEND", b"")


def _png_lies() -> Iterator[Case]:
    """Sizes and kinds of pixels that cannot be, under right checksums."""
    row = png_chunk(b"IDAT", zlib.compress(bytes(4)))
    for width, height in ((0, 1), (1, 0), (0, 0)):
        yield media_case(
            "lying size", f"png {width}x{height}", "image/png", _png(_ihdr(width, height), row), "image_header"
        )
    for width, height in ((2**31 - 1, 2**31 - 1), (2**31, 1), (2**32 - 1, 1), (1, 2**32 - 1), (65_535, 65_535)):
        data = _png(_ihdr(width, height), row)
        yield media_case("lying size", f"png {width}x{height}", "image/png", data, "image_too_many_pixels")
    for rest in ((3, 0, 0, 0, 0), (8, 5, 0, 0, 0), (16, 3, 0, 0, 0), (8, 2, 1, 0, 0), (8, 2, 0, 1, 0), (255,) * 5):
        data = _png(_ihdr(1, 1, *rest), row)
        # What Pillow makes of a filter method or compression that does not exist is its own choice.
        yield media_case("lying kind", f"png IHDR {rest}", "image/png", data, *_BROKEN, FUSED)
    yield media_case("lying size", "png 4000x4000 of 4 bytes", "image/png", _png(_ihdr(4_000, 4_000), row), *_BROKEN)


def _png_parts() -> Iterator[Case]:
    """Chunks that are missing, twice there, too many, or longer than the file."""
    idat = png_chunk(b"IDAT", zlib.compress(bytes(4)))
    one = _ihdr(1, 1)
    for name, data in {
        "no IDAT": _png(one),
        "IDAT that is no zlib": _png(one, png_chunk(b"IDAT", b"no zlib at all")),
        "empty IDAT": _png(one, png_chunk(b"IDAT", b"")),
        "palette without PLTE": _png(_ihdr(1, 1, 8, 3, 0, 0, 0), idat),
        "animation of 0 frames": _png(one, png_chunk(b"acTL", bytes(8)), idat),
        "wrong checksum of IHDR": _png(one[:-1] + bytes([one[-1] ^ 1]), idat),
        "wrong checksum of IDAT": _png(one, idat[:-1] + bytes([idat[-1] ^ 1])),
    }.items():
        yield media_case("lying parts", f"png: {name}", "image/png", data, *_BROKEN)
    for name, data in {
        "two IHDR": _png(one, one, idat),
        "no IHDR": _png(idat),
        "IHDR of 12 bytes": _png(png_chunk(b"IHDR", bytes(12)), idat),
        "no IEND": _PNG + one + idat,
        "two acTL": _png(one, *[png_chunk(b"acTL", b"\0\0\0\1" * 2)] * 2, idat),
    }.items():
        yield media_case("lying parts", f"png: {name}", "image/png", data, "image_header")
    for length in (2**31 - 1, 2**31, 2**32 - 1):
        data = _PNG + one + struct.pack(">I", length) + idat[4:]
        yield media_case("lying length", f"png chunk of {length}", "image/png", data, "image_header")
    many = _png(one, *[png_chunk(b"teXt", b"")] * 65_600, idat)
    yield media_case("lying parts", "png of 65,600 chunks", "image/png", many, "image_too_many_parts")


def _jpeg_lies() -> Iterator[Case]:
    data = named("jpeg").data
    at = data.index(b"\xff\xc0") + 5
    for height, width in ((0, 8), (8, 0), (65_535, 65_535), (40_000, 400), (4_096, 4_096)):
        lie = data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
        yield media_case("lying size", f"jpeg {width}x{height}", "image/jpeg", lie, "image_header")
    for name, place, byte in (("12 bits", at - 1, 12), ("0 components", at + 4, 0), ("200 components", at + 4, 200)):
        lie = data[:place] + bytes([byte]) + data[place + 1 :]
        yield media_case("lying kind", f"jpeg of {name}", "image/jpeg", lie, *_BROKEN)
    for marker in (0xC3, 0xC5, 0xC9, 0xCA, 0xCB):
        lie = data.replace(b"\xff\xc0", bytes([0xFF, marker]))
        yield media_case("lying kind", f"jpeg of frame 0x{marker:02x}", "image/jpeg", lie, *_BROKEN, FUSED)


def _jpeg_parts() -> Iterator[Case]:
    data, end = named("jpeg").data, named("jpeg").header_end
    frame = data.index(b"\xff\xc0")
    frame_end = frame + 2 + struct.unpack_from(">H", data, frame + 2)[0]
    comment = b"\xff\xfe\x00\x02"
    for name, lie in {
        "two frames": data[:frame_end] + data[frame:],
        "a scan before the frame": data[:frame] + data[frame_end:],
        "a segment of length 0": data[:2] + b"\xff\xfe\0\0" + data[2:],
        "a segment of length 1": data[:2] + b"\xff\xfe\0\1" + data[2:],
        "a segment of 65,535": data[:2] + b"\xff\xfe\xff\xff" + data[2:],
        "an end before the frame": data[:2] + b"\xff\xd9" + data[2:],
    }.items():
        yield media_case("lying parts", f"jpeg: {name}", "image/jpeg", lie, "image_header")
    for name, lie in {
        "100 scans": data[:-2] + data[end - 2 : -2] * 100 + data[-2:],
        "5,000 segments": data[:2] + comment * 5_000 + data[2:],
        "2,000 bytes that fill": data[:2] + b"\xff" * 2_000 + data[2:],
    }.items():
        yield media_case("lying parts", f"jpeg: {name}", "image/jpeg", lie, "image_too_many_parts")
    # Motion JPEG leaves its tables out, and libjpeg knows them.
    bare = data.replace(b"\xff\xc4", b"\xff\xfe")
    yield media_case("lying parts", "jpeg without tables", "image/jpeg", bare, *_BROKEN, FUSED)


def _webp_lies() -> Iterator[Case]:
    for file in ("webp-lossy", "webp-lossless", "webp-extended", "webp-animated"):
        data = named(file).data
        for length in (2**31 - 1, 2**31, 2**32 - 1, len(data)):
            lie = data[:4] + struct.pack("<I", length) + data[8:]
            yield media_case("lying length", f"{file}: RIFF of {length}", "image/webp", lie, "image_header")
        for length in (2**31, 2**32 - 1):
            lie = data[:16] + struct.pack("<I", length) + data[20:]
            yield media_case("lying length", f"{file}: chunk of {length}", "image/webp", lie, *_BROKEN)
        yield media_case("lying kind", f"{file}: XXXX", "image/webp", data[:12] + b"XXXX" + data[16:], "image_header")
    canvas = named("webp-animated").data
    lie = canvas[:24] + b"\xff" * 6 + canvas[30:]
    yield media_case("lying size", "webp 2**24 x 2**24", "image/webp", lie, "image_too_many_pixels")
    lossless = named("webp-lossless").data
    lie = lossless[:21] + struct.pack("<I", 0x0FFFFFFF) + lossless[25:]
    yield media_case("lying size", "webp-lossless 16384 x 16384", "image/webp", lie, "image_too_many_pixels")
    lossy = named("webp-lossy").data
    for width, height, reason in ((0, 8, "image_header"), (0x3FFF, 0x3FFF, "image_too_many_pixels")):
        lie = lossy[:26] + struct.pack("<HH", width, height) + lossy[30:]
        yield media_case("lying size", f"webp-lossy {width}x{height}", "image/webp", lie, reason)
    frames = canvas.index(b"ANMF")
    none = canvas[:4] + struct.pack("<I", frames - 8) + canvas[8:frames]
    yield media_case("no frames", "webp animation without frames", "image/webp", none, *_BROKEN)


def _bombs() -> Iterator[Case]:
    """Small files whose pixels are really there, and ones whose texts or profiles unpack to megabytes."""
    too_many = "image_too_many_pixels"
    yield media_case("bomb", "png of 400 megapixels", "image/png", png_bomb(20_000, 20_000), too_many)
    plain = Image.new("L", (4_200, 4_200), 128)
    yield media_case("bomb", "jpeg of 17 megapixels", "image/jpeg", encoded(plain, "JPEG", quality=1), too_many)
    yield media_case("bomb", "webp of 17 megapixels", "image/webp", encoded(plain, "WEBP", method=0), too_many)
    flat = encoded(plain, "WEBP", lossless=True, method=0)
    yield media_case("bomb", "webp-lossless of 17 megapixels", "image/webp", flat, too_many)
    packed = zlib.compress(bytes(16 * 2**20), 9)
    idat = png_chunk(b"IDAT", zlib.compress(bytes(4)))
    for kind, head in ((b"zTXt", b"x\0\0"), (b"iTXt", b"x\0\1\0\0\0"), (b"iCCP", b"x\0\0")):
        data = _png(_ihdr(1, 1), png_chunk(kind, head + packed), idat)
        yield media_case("bomb", f"png with {kind.decode()} of 16 MB", "image/png", data, "image_undecodable", FUSED)
    data = _png(_ihdr(1, 1), png_chunk(b"IDAT", packed))
    yield media_case("bomb", "png of 1 pixel with 16 MB behind it", "image/png", data, "image_undecodable", FUSED)
