"""Media files made on the spot: pictures of every mode, sound of every codec, and their raw bytes."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import soundfile
from PIL import Image

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def picture(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A picture whose red grows to the right, green downwards, with some blue; converted to `mode`."""
    width, height = size
    x = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    y = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    pixels = np.stack([x, y, np.full_like(x, 90)], axis=-1).round().astype(np.uint8)
    image = Image.fromarray(pixels)
    if mode == "I;16":
        return Image.fromarray(x.astype(np.uint16) * 257)
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """`image` as a file of `kind` (JPEG, PNG, WEBP)."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int, height: int) -> bytes:
    """A small PNG of width x height one-bit pixels, all of them really there."""
    row = b"\0" + bytes((width + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def sine(hz: float = 440.0, rate_hz: int = 16_000, seconds: float = 0.5, n_channels: int = 1) -> np.ndarray[Any, Any]:
    """A sine of amplitude 0.5: float64 (n_frames, n_channels)."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * hz * time_s))[:, None].repeat(n_channels, 1)


def sound_file(samples: np.ndarray[Any, Any], rate_hz: int, kind: str, subtype: str) -> bytes:
    """Samples (n_frames, n_channels) as a file, written by libsndfile."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format=kind, subtype=subtype)
    return out.getvalue()


def wav(
    body: bytes, *, code: int = PCM, bits: int = 16, rate_hz: int = 16_000, n_channels: int = 1, **lies: int
) -> bytes:
    """A WAV file with `body` as its samples.

    lies: `riff_length`, `data_length`, `block_bytes`, and `extensible`, the sub-format's number.
    """
    extensible = lies.get("extensible")
    block = lies.get("block_bytes", n_channels * bits // 8)
    fmt = struct.pack("<HHIIHH", code, n_channels, rate_hz, rate_hz * block % 2**32, block, bits)
    if extensible is not None:
        fmt += struct.pack("<HHIH", 22, bits, 0, extensible) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"data" + struct.pack("<I", lies.get("data_length", len(body))) + body
    return b"RIFF" + struct.pack("<I", lies.get("riff_length", len(chunks) + 4)) + b"WAVE" + chunks


def small_files() -> dict[str, tuple[str, bytes]]:
    """One small valid file of each kind: name -> (content type, bytes)."""
    image, alpha, short = picture(size=(12, 8)), picture("RGBA", (12, 8)), sine(seconds=0.02, n_channels=2)
    return {
        "jpeg": ("image/jpeg", encoded(image, "JPEG")),
        "jpeg-progressive": ("image/jpeg", encoded(image, "JPEG", progressive=True)),
        "png": ("image/png", encoded(alpha, "PNG")),
        "png-palette": ("image/png", encoded(image.convert("P"), "PNG")),
        "png-animated": ("image/png", encoded(image, "PNG", save_all=True, append_images=[image.rotate(90)])),
        "webp": ("image/webp", encoded(image, "WEBP")),
        "webp-lossless": ("image/webp", encoded(alpha, "WEBP", lossless=True)),
        "webp-animated": ("image/webp", encoded(image, "WEBP", save_all=True, append_images=[image.rotate(90)])),
        "wav": ("audio/wav", sound_file(short, 16_000, "WAV", "PCM_16")),
        "wav-24": ("audio/wav", sound_file(short, 16_000, "WAVEX", "PCM_24")),
        "wav-float": ("audio/wav", sound_file(short, 44_100, "WAV", "FLOAT")),
        "flac": ("audio/flac", sound_file(short, 16_000, "FLAC", "PCM_16")),
        "vorbis": ("audio/ogg", sound_file(short, 16_000, "OGG", "VORBIS")),
        "opus": ("audio/ogg", sound_file(short, 48_000, "OGG", "OPUS")),
    }
