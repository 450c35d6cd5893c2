"""Valid files, cut, flipped and rebuilt to lie: only `MediaError` ever comes out, soon, and in little memory."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from processors.audio import load_log_mel
from processors.compressed import page_checksum
from processors.image import load_pixels
from processors.limits import REASONS
from syncline.errors import MediaError
from tests.support.media import encoded, png_bomb, png_chunk, small_files, sound_file, wav

FILES = small_files()
CONTENT_TYPES = ["image/jpeg", "image/png", "image/webp", "audio/wav", "audio/flac", "audio/ogg"]
MAX_S = 5.0
NASTY = (0x00, 0x01, 0x7F, 0x80, 0xFF)


def outcome(data: bytes, content_type: str) -> str:
    """`ok` or the reason for refusing; any other exception, odd array or long wait fails the test."""
    start_s, result, detail = time.process_time(), "ok", "-"
    try:
        if content_type.startswith("image"):
            pixels = load_pixels(data, content_type)
            assert (pixels.shape, pixels.dtype) == ((3, 64, 64), np.uint8)
        else:
            mels = load_log_mel(data, content_type)
            assert mels.shape[0] == 64
            assert np.isfinite(mels).all()
    except MediaError as error:
        result, detail = error.reason, error.detail
    assert result in REASONS | {"ok"}
    assert detail
    assert time.process_time() - start_s < MAX_S
    return result


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(name: str) -> None:
    """At every byte; a whole file is read."""
    content_type, data = FILES[name]
    assert outcome(data, content_type) == "ok"
    taken = [at for at in range(len(data)) if outcome(data[:at], content_type) == "ok"]
    assert taken == []


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes_give_an_array_or_a_media_error(name: str) -> None:
    """Six hundred files with one to twenty bytes changed, by a fixed seed."""
    content_type, data = FILES[name]
    rng = random.Random(name)
    outcomes = set()
    for _ in range(600):
        broken = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            broken[rng.randrange(len(broken))] = rng.choice((*NASTY, rng.randrange(256)))
        outcomes.add(outcome(bytes(broken), content_type))
    assert len(outcomes) > 1, "the changes were never noticed"


@pytest.mark.parametrize("name", ["vorbis", "opus"])
def test_flipped_bytes_under_a_right_checksum_do_no_harm(name: str) -> None:
    """What reaches libsndfile when somebody takes the trouble to seal broken pages again."""
    _, data = FILES[name]
    starts = [at for at in range(len(data)) if data.startswith(b"OggS\0", at)]
    rng = random.Random(name)
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(rng.choice((1, 2, 5, 20))):
            broken[rng.randrange(28, len(broken))] = rng.choice((*NASTY, rng.randrange(256)))
        for at, end in zip(starts, [*starts[1:], len(data)], strict=True):
            broken[at + 22 : at + 26] = struct.pack("<I", page_checksum(bytes(broken[at:end])))
        outcome(bytes(broken), "audio/ogg")


@pytest.mark.parametrize("name", ["png", "png-palette", "png-animated"])
def test_flipped_bytes_under_right_png_checksums_do_no_harm(name: str) -> None:
    """The same for PNG chunks."""
    _, data = FILES[name]
    rng = random.Random(name)
    for _ in range(400):
        broken, at = b"\x89PNG\r\n\x1a\n", 8
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            body = bytearray(data[at + 8 : at + 8 + length])
            for _ in range(rng.choice((0, 0, 1, 3)) if body else 0):
                body[rng.randrange(len(body))] = rng.choice((*NASTY, rng.randrange(256)))
            broken += png_chunk(data[at + 4 : at + 8], bytes(body))
            at += 12 + length
        outcome(broken, "image/png")


@given(name=st.sampled_from(sorted(FILES)), where=st.floats(0, 0.999), value=st.sampled_from([0, 1, 2**31, 2**32 - 1]))
def test_a_lying_length_anywhere_does_no_harm(name: str, where: float, value: int) -> None:
    """Four bytes anywhere become 0, 1, 2**31 or 2**32 - 1, in both byte orders."""
    content_type, data = FILES[name]
    at = int(where * len(data))
    for order in "<>":
        outcome(data[:at] + struct.pack(order + "I", value) + data[at + 4 :], content_type)


@given(data=st.binary(max_size=300), content_type=st.sampled_from(CONTENT_TYPES), start=st.sampled_from(sorted(FILES)))
def test_noise_behind_any_magic_is_refused_or_read(data: bytes, content_type: str, start: str) -> None:
    """Noise alone, and noise behind the first 16 bytes of a real file."""
    assert outcome(data[:8] + b"\0" + data, content_type) != "ok"
    outcome(FILES[start][1][:16] + data, FILES[start][0])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_wrong_content_type_is_refused(name: str, content_type: str) -> None:
    """The bytes must be of the kind that was declared."""
    declared, data = FILES[name]
    assert outcome(data, content_type) == ("ok" if content_type == declared else "content_type_mismatch")


def test_text_chunks_that_unpack_to_gigabytes_are_refused() -> None:
    """Two thousand of a megabyte each; Pillow stops after 64."""
    data = FILES["png"][1]
    bomb = png_chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(2**20 - 1), 9))
    assert outcome(data[:33] + bomb * 2_000 + data[33:], "image/png") == "image_undecodable"


def largest_files() -> list[tuple[str, bytes, str]]:
    """(content type, bytes, outcome) of files as large as the limits allow, or that say they are."""
    jpeg = FILES["jpeg"][1]
    at = jpeg.index(b"\xff\xc0")
    webp = encoded(Image.new("RGBA", (4_096, 4_096), (9, 9, 9, 9)), "WEBP", method=0)
    silence = np.zeros((16_000 * 59, 8), np.int16)
    return [
        ("image/jpeg", jpeg[: at + 5] + struct.pack(">HH", 4_096, 4_096) + jpeg[at + 9 :], "image_header"),
        ("image/png", png_bomb(4_096, 4_096), "ok"),
        ("image/webp", webp, "ok"),
        ("audio/flac", sound_file(silence, 16_000, "FLAC", "PCM_16"), "ok"),
        ("audio/wav", wav(silence.tobytes()[: 2**24 - 44], n_channels=8, rate_hz=48_000), "ok"),
        ("audio/wav", wav(bytes(8), data_length=2**31), "audio_header"),
    ]


def decode_in_child(files: list[tuple[str, bytes, str]], folder: Path) -> tuple[list[str], int]:
    """Outcomes of the files, and how many MiB they took, in a fresh process with Python's own warning filters."""
    arguments: list[str] = []
    for number, (content_type, data, _) in enumerate(files):
        (folder / str(number)).write_bytes(data)
        arguments += [content_type, str(folder / str(number))]
    command = [sys.executable, "-m", "tests.support.decode_files", *arguments]
    root = Path(__file__).parents[2]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=root)
    assert (child.returncode, child.stderr) == (0, "")
    *outcomes, grown_mib = child.stdout.split()
    return outcomes, int(grown_mib)


def test_the_largest_files_within_the_limits_take_bounded_memory(tmp_path: Path) -> None:
    """16 megapixels at 16 bytes each are the worst: 256 MiB, and some."""
    files = largest_files()
    outcomes, grown_mib = decode_in_child(files, tmp_path)
    assert outcomes == [expected for _, _, expected in files]
    assert grown_mib < 320


def test_what_pillow_warns_of_is_refused_without_any_flag(tmp_path: Path) -> None:
    """An animation of 0 frames: Pillow warns, which no filter of the test run turns into an error in the child."""
    data = FILES["png"][1]
    broken = data[:33] + png_chunk(b"acTL", bytes(8)) + data[33:]
    assert decode_in_child([("image/png", broken, "")], tmp_path)[0] == ["image_undecodable"]


def test_a_picture_as_large_as_allowed_is_read() -> None:
    """4096 x 4096, a pixel more is refused."""
    assert outcome(png_bomb(4_096, 4_096), "image/png") == "ok"
    assert outcome(png_bomb(4_097, 4_096), "image/png") == "image_too_many_pixels"
