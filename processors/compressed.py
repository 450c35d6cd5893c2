"""FLAC, Ogg Vorbis and Ogg Opus: headers are parsed and checked here, then libsndfile decodes.

libsndfile opens 26 formats by their content, and its bundled release lacks upstream fixes. So it gets only files that
pass here, FLACs without their metadata blocks (pictures, cue sheets, comments).
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
"""Limit of metadata blocks in a FLAC."""


class FileHeader(msgspec.Struct, frozen=True):
    """A compressed file's header, and the bytes for libsndfile. `n_frames` is 0 if the header does not say."""

    rate_hz: int
    n_channels: int
    n_frames: int
    data: bytes


def read_flac(data: bytes) -> FileHeader:
    """Read a FLAC's STREAMINFO and drop its other metadata. Raises `MediaError`: `audio_header`."""
    if data[4] & 0x7F or data[5:8] != b"\0\0\x22" or len(data) < 42:
        raise refuse("audio_header", "audio/flac: the first block is not a STREAMINFO of 34 bytes")
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
    """Read the first packet and the last granule of an Ogg file with one complete Vorbis or Opus stream.

    Raises `MediaError`: `audio_header` (a page is cut short or the last is missing) or `audio_codec_unknown`.
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
    """Decode to the mean of all channels, float32 (n_frames,), and the rate in Hz.

    Block by block, so that neither many channels nor a false length cost memory. Raises `MediaError` and libsndfile's
    errors.
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
    """Parse the stream's first packet: (rate in Hz, channels, samples to skip)."""
    if packet.startswith(b"\x01vorbis"):
        n_channels, rate_hz = struct.unpack_from("<BI", packet, 11)
        return rate_hz, n_channels, 0
    if packet.startswith(b"OpusHead"):
        n_channels, skipped = struct.unpack_from("<BH", packet, 9)
        return _OPUS_RATE_HZ, n_channels, skipped
    raise refuse("audio_codec_unknown", f"audio/ogg: got {packet[:8]!r}, takes Vorbis and Opus")


def _pages(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield each page's start, flags, granule and body start."""
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
    """Compute an Ogg page's CRC-32: polynomial 0x04C11DB7, top bit first, initial value 0, its own field as zeros.

    zlib's CRC is bottom bit first, so mirror its input and its result. Checked here because decoders skip broken pages.
    """
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRROR)
    total = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(total.to_bytes(4, "little").translate(_MIRROR), "big")


class _FromTheStart(soundfile.SoundFile):
    """A file that is read in order: otherwise a seek follows every block and fails on FLACs of unknown length."""

    def seekable(self) -> bool:
        return False


class _Clamped(io.BytesIO):
    """Bytes whose `seek` never fails: an error in libsndfile's callback would be printed and ignored."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        length = self.getbuffer().nbytes
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: length}.get(whence, 0)
        return super().seek(min(max(base + offset, 0), length))
