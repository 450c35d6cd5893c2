"""FLAC and Ogg: headers against libsndfile, what is cut out, and claims that do not hold."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from processors.compressed import decode_mono, page_checksum, read_flac, read_ogg
from syncline.errors import MediaError
from tests.support.media import sine, small_files, sound_file

FLAC = small_files()["flac"][1]
VORBIS = sound_file(np.random.default_rng(3).standard_normal((48_000, 2)) * 0.1, 16_000, "OGG", "VORBIS")


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 96_000])
@pytest.mark.parametrize("n_channels", [1, 2, 8])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flac_headers_are_read(rate_hz: int, n_channels: int, subtype: str) -> None:
    """Rate, channels and frames as written; the bare file decodes to the same samples."""
    samples = sine(rate_hz=rate_hz, seconds=0.05, n_channels=n_channels)
    claim = read_flac(sound_file(samples, rate_hz, "FLAC", subtype))
    assert (claim.rate_hz, claim.n_channels, claim.n_frames) == (rate_hz, n_channels, len(samples))
    mono, rate = decode_mono(claim, "audio/flac", 10**6)
    assert rate == rate_hz
    np.testing.assert_allclose(mono, samples[:, 0], atol=1 / 100 if subtype == "PCM_S8" else 1e-4)


def test_flac_metadata_never_reaches_libsndfile() -> None:
    """A block of comments, pictures or nonsense is cut out; the sound is the same."""
    junk = b"\x06" + (5_000).to_bytes(3, "big") + bytes(5_000)
    claim = read_flac(FLAC[:42] + junk + FLAC[42:])
    assert claim.data == read_flac(FLAC).data
    assert len(claim.data) < len(FLAC)


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize(("subtype", "rate_hz"), [("VORBIS", 22_050), ("VORBIS", 48_000), ("OPUS", 48_000)])
def test_ogg_headers_are_read(subtype: str, rate_hz: int, n_channels: int) -> None:
    """Rate, channels and the number of frames in the last page's granule are those of the samples."""
    data = sound_file(sine(rate_hz=rate_hz, n_channels=n_channels), rate_hz, "OGG", subtype)
    claim = read_ogg(data)
    assert (claim.rate_hz, claim.n_channels, claim.n_frames) == (rate_hz, n_channels, rate_hz // 2)
    mono, rate = decode_mono(claim, "audio/ogg", 10**6)
    assert (len(mono), rate) == (rate_hz // 2, rate_hz)


def pages(data: bytes) -> list[bytes]:
    """An Ogg file cut at its pages."""
    starts = [at for at in range(len(data)) if data.startswith(b"OggS\0", at)]
    return [data[at:end] for at, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def resealed(page: bytes) -> bytes:
    """The page with the right checksum."""
    return page[:22] + struct.pack("<I", page_checksum(page)) + page[26:]


def test_the_page_checksum_is_the_one_in_the_file() -> None:
    """Every page that libsndfile wrote carries it."""
    assert len(pages(VORBIS)) > 3
    assert all(resealed(page) == page for page in pages(VORBIS))


def ogg_reason(data: bytes) -> str:
    """The reason for which `read_ogg` refuses."""
    with pytest.raises(MediaError) as caught:
        read_ogg(data)
    return caught.value.reason


def test_an_ogg_page_with_a_flipped_bit_is_refused() -> None:
    """libogg would leave the page out and say nothing."""
    broken = bytearray(VORBIS)
    broken[len(VORBIS) // 2] ^= 1
    assert ogg_reason(bytes(broken)) == "audio_undecodable"


def test_an_ogg_without_its_last_page_is_refused() -> None:
    """Cut at a page's edge all pages are whole, but none says that it is the last."""
    assert ogg_reason(b"".join(pages(VORBIS)[:-1])) == "audio_header"


def test_two_ogg_streams_in_one_file_are_refused() -> None:
    """Chained or multiplexed, the second could be of any codec."""
    other = sound_file(sine(), 16_000, "OGG", "VORBIS")
    assert ogg_reason(VORBIS + other) == "audio_codec_unknown"


def test_flac_in_ogg_is_refused() -> None:
    """The allow-list has Vorbis and Opus."""
    first = pages(VORBIS)[0]
    body = b"\x7fFLAC" + first[33:]
    assert ogg_reason(resealed(first[:28] + body)) == "audio_codec_unknown"


@pytest.mark.parametrize("granule", [10**15, 2**63])
def test_an_ogg_that_claims_years_says_so(granule: int) -> None:
    """The claim is taken at its word, so that it can be refused before decoding."""
    *rest, last = pages(VORBIS)
    claim = read_ogg(b"".join([*rest, resealed(last[:6] + struct.pack("<Q", granule) + last[14:])]))
    assert claim.n_frames == granule


def test_what_libsndfile_asks_for_cannot_make_its_callback_fail() -> None:
    """Seeks before the start or past the end stay inside: an exception there is printed and then ignored."""
    mono, _ = decode_mono(read_ogg(VORBIS), "audio/ogg", 10**6)
    with soundfile.SoundFile(io.BytesIO(VORBIS)) as sound:
        np.testing.assert_allclose(mono, sound.read(dtype="float32").mean(axis=1), atol=1e-6)
