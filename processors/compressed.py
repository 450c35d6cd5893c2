"""FLAC, Ogg Vorbis and Ogg Opus: headers read by own code and checked first, then decoded by libsndfile.

libsndfile opens 26 formats by what it finds, and its bundled release lacks fixes that exist upstream: it sees only
what passed here, and a FLAC's metadata blocks (pictures, cue sheets, comments) are cut out before.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile  # pyright: ignore[reportMissingTypeStubs]

from processors.limits import refuse
from processors.wav import mean_channels

_BLOCK_SAMPLES = 2**17
_SUBTYPES = {"audio/flac": {"PCM_S8", "PCM_16", "PCM_24"}, "audio/ogg": {"VORBIS", "OPUS"}}
_OPUS_RATE_HZ = 48_000
_NO_GRANULE = 2**64 - 1
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
MAX_BLOCKS = 128
"""FLAC: metadata blocks."""


class FileHeader(msgspec.Struct, frozen=True):
    """What a compressed file's header says, and the bytes that libsndfile is to see. `n_frames` 0: it does not say."""

    rate_hz: int
    n_channels: int
    n_frames: int
    data: bytes


def read_flac(data: bytes) -> FileHeader:
    """The STREAMINFO of a FLAC file, and the file without its other metadata. Raises `audio_header`."""
    if data[4] & 0x7F or data[5:8] != b"\0\0\x22" or len(data) < 42:
        raise refuse("audio_header", "audio/flac: the first block is no STREAMINFO of 34 bytes")
    packed = int.from_bytes(data[18:26], "big")
    at, last = 4, False
    for _ in range(MAX_BLOCKS):
        if at + 4 > len(data):
            raise refuse("audio_header", "audio/flac: the metadata is cut short")
        last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        if last:
            break
    if not last or at >= len(data):
        raise refuse("audio_header", "audio/flac: no sound after the metadata")
    bare = b"fLaC\x80" + data[5:42] + data[at:]
    return FileHeader(packed >> 44, (packed >> 41 & 7) + 1, packed & (2**36 - 1), bare)


def read_ogg(data: bytes) -> FileHeader:
    """The first packet and the last granule of an Ogg file that holds one Vorbis or Opus stream, whole.

    Raises `MediaError`: `audio_header` (a page is cut short, the last is missing), `audio_codec_unknown`.
    """
    rate_hz, n_channels, skipped = 0, 0, 0
    serial, last_granule, ended = b"", 0, False
    for at, flags, granule, body in _pages(data):
        page_serial = data[at + 14 : at + 18]
        if at == 0:
            rate_hz, n_channels, skipped = _ogg_codec(data[body:])
            serial = page_serial
        elif page_serial != serial or ended or flags & 2:
            raise refuse("audio_codec_unknown", "audio/ogg: more than one stream, takes one")
        if granule != _NO_GRANULE:
            last_granule = granule
        ended = bool(flags & 4)
    if not ended:
        raise refuse("audio_header", "audio/ogg: the last page is missing")
    granule_rate_hz = _OPUS_RATE_HZ if data[28:36] == b"OpusHead" else rate_hz
    n_frames = max(0, last_granule - skipped) * rate_hz // max(1, granule_rate_hz)
    return FileHeader(rate_hz, n_channels, n_frames, data)


def decode_mono(claim: FileHeader, content_type: str, max_frames: int) -> tuple[npt.NDArray[np.float32], int]:
    """The mean of all channels, float32 (n_frames,), and the rate in Hz. Raises `MediaError`, or what libsndfile does.

    Decoded block by block, so that channels and lies about the length cost no memory.
    """
    parts: list[npt.NDArray[np.float32]] = []
    n_frames = 0
    with _FromTheStart(_Clamped(claim.data)) as sound:
        if sound.subtype not in _SUBTYPES[content_type]:
            raise refuse("audio_codec_unknown", f"{content_type}: got {sound.subtype}")
        if sound.channels != claim.n_channels:
            raise refuse("audio_header", f"{content_type}: {claim.n_channels} or {sound.channels} channels")
        n = max(1, _BLOCK_SAMPLES // sound.channels)
        while len(block := np.asarray(sound.read(n, dtype="float32", always_2d=True), np.float32)):
            parts.append(mean_channels(block))
            n_frames += len(block)
            if n_frames > max_frames:
                raise refuse("audio_too_many_seconds", f"{content_type}: more than the header claims")
        rate_hz = sound.samplerate
    mono = np.concatenate(parts) if parts else np.empty(0, np.float32)
    return mono, rate_hz


def _ogg_codec(packet: bytes) -> tuple[int, int, int]:
    """(rate, channels, samples to skip) of the stream's first packet."""
    if packet.startswith(b"\x01vorbis"):
        n_channels, rate_hz = struct.unpack_from("<BI", packet, 11)
        return rate_hz, n_channels, 0
    if packet.startswith(b"OpusHead"):
        n_channels, skipped = struct.unpack_from("<BH", packet, 9)
        return _OPUS_RATE_HZ, n_channels, skipped
    raise refuse("audio_codec_unknown", f"audio/ogg: got {packet[:8]!r}, takes Vorbis and Opus")


def _pages(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Each page's start, flags, granule and where its body starts."""
    at = 0
    while at < len(data):
        start, version, flags, granule = struct.unpack_from("<4sBBQ", data, at)
        n_segments = data[at + 26]
        body = at + 27 + n_segments
        end = body + sum(data[at + 27 : body])
        if start != b"OggS" or version or end > len(data) or (at == 0 and not flags & 2):
            raise refuse("audio_header", f"audio/ogg: broken or cut page at byte {at}")
        if page_checksum(data[at:end]) != int.from_bytes(data[at + 22 : at + 26], "little"):
            raise refuse("audio_undecodable", f"audio/ogg: wrong checksum of the page at byte {at}")
        yield at, flags, granule, body
        at = end


def page_checksum(page: bytes) -> int:
    """The CRC-32 of an Ogg page: polynomial 0x04C11DB7, bits from the top, starting at 0, its own field as zeros.

    zlib's runs from the bottom bit, so bytes go in and the sum comes out mirrored; decoders just skip broken pages.
    """
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRROR)
    total = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(total.to_bytes(4, "little").translate(_MIRROR), "big")


class _FromTheStart(soundfile.SoundFile):
    """Read in order only: else a seek follows every block, which fails on FLACs of unknown length."""

    def seekable(self) -> bool:
        return False


class _Clamped(io.BytesIO):
    """Bytes whose `seek` cannot fail: an error inside libsndfile's callback would be printed and then ignored."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        length = self.getbuffer().nbytes
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: length}.get(whence, 0)
        return super().seek(min(max(base + offset, 0), length))
