"""The small valid files that are damaged: one of each format that is taken, with where its parts lie.

Where a part ends is read here by the formats' own rules, so that what a cut must lead to is known without asking the
decoders.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from processors.compressed import page_checksum
from tests.support.media import FLOAT, encoded, picture, sine, sound_file, wav

MAGIC = {"image/jpeg": 3, "image/png": 8, "image/webp": 12, "audio/wav": 12, "audio/flac": 4, "audio/ogg": 4}
"""How many bytes tell the formats apart."""


class SmallFile(NamedTuple):
    """A valid file. `header_end`: from this byte on a cut leaves a whole header; `len(data)` where it never does."""

    name: str
    content_type: str
    data: bytes
    header_end: int

    @property
    def family(self) -> str:
        """`image` or `audio`, as its dead-letter reasons begin."""
        return self.content_type.partition("/")[0]


@lru_cache(maxsize=1)
def small_files() -> tuple[SmallFile, ...]:
    """Fifteen files of 68 to 2,900 bytes."""
    plain, clear = picture(size=(8, 8)), picture("RGBA", (8, 8))
    clear.putalpha(120)
    short = sine(seconds=0.002)
    opus = sine(seconds=0.005, rate_hz=48_000)
    return (
        _jpeg("jpeg", encoded(plain, "JPEG", quality=20, optimize=True)),
        _jpeg("jpeg-progressive", encoded(plain, "JPEG", quality=20, progressive=True, optimize=True)),
        _whole("png", "image/png", encoded(clear, "PNG")),
        _whole("png-palette", "image/png", encoded(plain.quantize(8), "PNG")),
        _whole("webp-lossy", "image/webp", encoded(plain, "WEBP", quality=10)),
        _whole("webp-lossless", "image/webp", encoded(clear, "WEBP", lossless=True)),
        _whole("webp-extended", "image/webp", encoded(clear, "WEBP", quality=10)),
        _whole("webp-animated", "image/webp", encoded(plain, "WEBP", save_all=True, append_images=[plain.rotate(90)])),
        _whole("wav", "audio/wav", sound_file(short, 16_000, "WAV", "PCM_16")),
        _whole("wav-24", "audio/wav", sound_file(short, 16_000, "WAVEX", "PCM_24")),
        _whole("wav-float", "audio/wav", wav(np.zeros(16, np.float32).tobytes(), code=FLOAT, bits=32)),
        _flac("flac", sound_file(short, 16_000, "FLAC", "PCM_16")),
        _flac("flac-stereo", sound_file(sine(seconds=0.002, n_channels=2), 44_100, "FLAC", "PCM_24")),
        _whole("vorbis", "audio/ogg", ogg_file(short, 8_000, "VORBIS")),
        _whole("opus", "audio/ogg", ogg_file(opus, 48_000, "OPUS")),
    )


def named(name: str) -> SmallFile:
    """The small file of this name."""
    return next(file for file in small_files() if file.name == name)


def _whole(name: str, content_type: str, data: bytes) -> SmallFile:
    # PNG ends with IEND, RIFF says its length, Ogg marks its last page: each cut is one of the header's promises.
    return SmallFile(name, content_type, data, len(data))


def _jpeg(name: str, data: bytes) -> SmallFile:
    """Marker segments up to the first scan; no length of the whole, and what is missing behind is grey."""
    at = 2
    while data[at + 1] != 0xDA:
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return SmallFile(name, "image/jpeg", data, at + 2)


def _flac(name: str, data: bytes) -> SmallFile:
    """Metadata blocks up to the one that says it is the last; a byte of sound must follow."""
    at, is_last = 4, False
    while not is_last:
        is_last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return SmallFile(name, "audio/flac", data, at + 1)


def ogg_file(samples: np.ndarray[Any, Any], rate_hz: int, codec: str) -> bytes:
    """An Ogg file, the same at every call: libsndfile draws a stream number, which is 1 here."""
    data = bytearray(sound_file(samples, rate_hz, "OGG", codec))
    for at in _pages(data):
        data[at + 14 : at + 18] = struct.pack("<I", 1)
    return sealed(bytes(data))


def sealed(data: bytes) -> bytes:
    """An Ogg file with the right checksum on each page."""
    starts = _pages(data)
    pages = (data[at:end] for at, end in zip(starts, [*starts[1:], len(data)], strict=True))
    return b"".join(page[:22] + struct.pack("<I", page_checksum(page)) + page[26:] for page in pages)


def _pages(data: bytes | bytearray) -> list[int]:
    return [at for at in range(len(data)) if data.startswith(b"OggS\0", at)]
