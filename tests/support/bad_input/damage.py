"""Whole files damaged: cut at every byte, single bits turned, four bytes overwritten, another format's first bytes."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

from syncline.wire.contract import CONTENT_TYPES
from tests.support.bad_input.case import FUSED, Case, any_reason, media_case
from tests.support.bad_input.files import MAGIC, SmallFile, small_files

LENGTHS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)
_FOREIGN = {
    "gif": b"GIF89a\x01\0\x01\0\x80\0\0",
    "bmp": b"BM\x46\0\0\0\0\0\0\0",
    "tiff": b"II*\0\x08\0\0\0",
    "pdf": b"%PDF-1.7\n",
    "zip": b"PK\x03\x04\x14\0",
    "elf": b"\x7fELF\x02\x01\x01",
    "html": b"<!doctype html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "mp3": b"ID3\x04\0\0\0\0",
    "mp4": b"\0\0\0\x20ftypisom",
    "avif": b"\0\0\0\x1cftypavif",
    "aiff": b"FORM\0\0\0\x1eAIFF",
    "au": b".snd\0\0\0\x18",
    "rf64": b"RF64\xff\xff\xff\xffWAVE",
    "avi": b"RIFF\x10\0\0\0AVI LIST",
    "noughts": bytes(64),
}


def truncated() -> Iterator[Case]:
    """Every file cut in front of each of its bytes. No cut is legal: see `SmallFile.header_end`."""
    for file in small_files():
        for at in range(len(file.data)):
            yield media_case("cut", f"{file.name} cut at {at}", file.content_type, file.data[:at], _after_cut(file, at))


def _after_cut(file: SmallFile, at: int) -> str:
    if at == 0:
        return "empty_value"
    if at < MAGIC[file.content_type]:
        return "content_type_mismatch"
    return f"{file.family}_{'header' if at < file.header_end else 'undecodable'}"


def flipped(seed: int = 0) -> Iterator[Case]:
    """For ever: a file with one bit turned, at random but the same for a seed, no bit of a file twice."""
    dice = random.Random(seed)
    bits = {file: dice.sample(range(8 * len(file.data)), 8 * len(file.data)) for file in small_files()}
    while bits:
        for file in list(bits):
            bit = bits[file].pop()
            if not bits[file]:
                del bits[file]
            data = bytearray(file.data)
            data[bit // 8] ^= 1 << bit % 8
            name = f"{file.name} with bit {bit} turned"
            yield media_case("flipped bit", name, file.content_type, bytes(data), *_after_flip(file, bit // 8))


def _after_flip(file: SmallFile, at: int) -> frozenset[str]:
    if at in _magic_bytes(file):
        return frozenset({"content_type_mismatch"})
    reasons = any_reason(file.family) - {"content_type_mismatch", "content_type_unknown"}
    return reasons if _is_summed(file, at) else reasons | {FUSED}


def _magic_bytes(file: SmallFile) -> range | set[int]:
    """The bytes that say what it is: of RIFF files not the length between the two names."""
    magic = range(MAGIC[file.content_type])
    return set(magic) - set(range(4, 8)) if file.data.startswith(b"RIFF") else magic


def _is_summed(file: SmallFile, at: int) -> bool:
    """Whether a checksum of the format covers the byte, so that a turned bit must be found."""
    if file.content_type == "audio/flac":
        return at >= file.header_end
    return file.content_type in ("audio/ogg", "image/png")


def overwritten() -> Iterator[Case]:
    """Four bytes become a number that a length must never be, in both orders, at every fourth byte of each header."""
    for file in small_files():
        takes = any_reason(file.family) | {FUSED}
        for at in range(0, min(len(file.data) - 4, 200), 4):
            for number in LENGTHS:
                for order in "<>":
                    lie = struct.pack(order + "I", number)
                    if file.data[at : at + 4] == lie:
                        continue
                    data = file.data[:at] + lie + file.data[at + 4 :]
                    name = f"{file.name} with {order}{number} at {at}"
                    yield media_case("lying number", name, file.content_type, data, *takes)


def wrong_magic() -> Iterator[Case]:
    """Seventeen formats that are not taken, each declared as each that is; and each that is, declared as the others."""
    types = [name for modality in ("image", "audio") for name in CONTENT_TYPES[modality]]
    for declared in types:
        for name, data in _FOREIGN.items():
            yield media_case("wrong magic", f"{name} as {declared}", declared, data, "content_type_mismatch")
        for file in small_files():
            if file.content_type != declared:
                name = f"{file.name} as {declared}"
                yield media_case("wrong content type", name, declared, file.data, "content_type_mismatch")
