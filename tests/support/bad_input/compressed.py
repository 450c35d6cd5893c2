"""FLAC and Ogg files that lie about themselves, and silence that unpacks to hours."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from tests.support.bad_input.case import FUSED, Case, media_case
from tests.support.bad_input.files import named, ogg_file, sealed
from tests.support.bad_input.wavs import RATES_HZ
from tests.support.media import sound_file

_BROKEN = ("audio_header", "audio_undecodable")


def compressed_sounds() -> Iterator[Case]:
    """All of them."""
    yield from _flac_lies()
    yield from _ogg_lies()
    yield from _bombs()


def _flac_lies() -> Iterator[Case]:
    file = named("flac")

    def flac(kind: str, name: str, data: bytes, *expected: str) -> Case:
        return media_case(kind, f"flac {name}", "audio/flac", data, *expected)

    def packed(rate_hz: int, n_channels: int, n_frames: int) -> bytes:
        number = rate_hz << 44 | (n_channels - 1) << 41 | 15 << 36 | n_frames
        return file.data[:18] + number.to_bytes(8, "big") + file.data[26:]

    for rate_hz in (0, 1, 999, 655_350):
        yield flac("rate", f"of {rate_hz} Hz", packed(rate_hz, 1, 32), "audio_sample_rate")
    yield flac("channels", "of 8 channels that are 1", packed(16_000, 8, 32), *_BROKEN)
    yield flac("lying length", "of 2**36 - 1 frames", packed(16_000, 1, 2**36 - 1), "audio_too_many_seconds")
    yield flac("lying length", "of 33 frames that are 32", packed(16_000, 1, 33), "audio_undecodable")
    yield flac("lying length", "of 1 frame that is 32", packed(16_000, 1, 1), "audio_undecodable", FUSED)
    data = file.data
    for name, lie in {
        "whose first block is no STREAMINFO": data[:4] + bytes([data[4] | 4]) + data[5:],
        "with a STREAMINFO of 2**24 - 1": data[:5] + b"\xff\xff\xff" + data[8:],
        "with a block of 2**24 - 1": data[:42] + b"\x04\xff\xff\xff" + data[42:],
        "without sound": data[: file.header_end - 1],
        "of 200 blocks": data[:42] + b"\x01\0\0\0" * 200 + data[42:],
    }.items():
        yield flac("lying parts", name, lie, "audio_header")


def _ogg_lies() -> Iterator[Case]:
    """Lies whose pages have right checksums, so that they pass for meant."""

    def ogg(kind: str, name: str, data: bytes, *expected: str) -> Case:
        return media_case(kind, f"ogg {name}", "audio/ogg", data, *expected)

    vorbis, opus = named("vorbis").data, named("opus").data
    for rate_hz in RATES_HZ:
        lie = sealed(vorbis[:40] + struct.pack("<I", rate_hz) + vorbis[44:])
        yield ogg("rate", f"vorbis of {rate_hz} Hz", lie, "audio_sample_rate")
    for name, data, at in (("vorbis", vorbis, 39), ("opus", opus, 37)):
        for n_channels in (0, 65, 255):
            lie = sealed(data[:at] + bytes([n_channels]) + data[at + 1 :])
            yield ogg("channels", f"{name} of {n_channels} channels", lie, "audio_too_many_channels")
        last = data.rindex(b"OggS")
        for granule in (2**40, 2**62, 2**63 - 1):
            lie = sealed(data[: last + 6] + struct.pack("<Q", granule) + data[last + 14 :])
            yield ogg("lying length", f"{name} that ends at {granule}", lie, "audio_too_many_seconds")
        yield ogg("lying parts", f"{name} without its last page", data[:last], "audio_header")
        yield ogg("lying parts", f"{name} twice", data + data, "audio_codec_unknown")
        other = bytearray(data)
        other[last + 14] ^= 1
        yield ogg("lying parts", f"{name} with a page of another stream", sealed(bytes(other)), "audio_codec_unknown")
        for codec in (b"Speex   ", b"\x7fFLAC\x01\0\0", b"\x80theora\x03", b"fishead\0"):
            lie = sealed(data[:28] + codec + data[36:])
            yield ogg("codec", f"{codec!r} in {name}'s place", lie, "audio_codec_unknown")


def _bombs() -> Iterator[Case]:
    """An hour of silence in a few kilobytes, with its length said, not said, and denied."""
    too_long = "audio_too_many_seconds"
    hour = sound_file(np.zeros((3_600_000, 1), np.int16), 1_000, "FLAC", "PCM_16")
    yield media_case("bomb", "flac of an hour", "audio/flac", hour, too_long)
    for said in (0, 1_000):
        number = int.from_bytes(hour[18:26], "big") >> 36 << 36 | said
        data = hour[:18] + number.to_bytes(8, "big") + hour[26:]
        # libFLAC may stop where the header says that it ends.
        yield media_case(
            "bomb", f"flac of an hour that says {said} frames", "audio/flac", data, too_long, *([FUSED] if said else [])
        )
    wide = sound_file(np.zeros((60 * 96_000, 8), np.int16), 96_000, "FLAC", "PCM_16")
    yield media_case("bomb", "flac of 46 million samples", "audio/flac", wide, "audio_too_many_samples")
    for name, kind, rate_hz in (("vorbis", "VORBIS", 8_000), ("opus", "OPUS", 8_000)):
        silence = ogg_file(np.zeros((70 * rate_hz, 1), np.float32), rate_hz, kind)
        yield media_case("bomb", f"{name} of 70 seconds", "audio/ogg", silence, too_long)
