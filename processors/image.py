"""Pictures: JPEG, PNG and WebP bytes to arrays. Pillow releases the GIL while it decodes and scales."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from processors.image_header import read_size, sniff
from processors.limits import check_size, media_type, refuse
from processors.settings import ImageSettings
from syncline.errors import MediaError

UPRIGHT = 1
_ORIENTATION_TAG = 0x0112
_SHORT = 3
_MAX_TAGS = 1_024


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where the block has none or is broken.

    `exif`: a TIFF block, with or without the six bytes `Exif\\0\\0` in front. Broken EXIF is no reason to refuse a
    picture: many cameras write some.
    """
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (n_tags,) = struct.unpack_from(order + "H", tiff, start)
        for i in range(min(n_tags, _MAX_TAGS)):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * i)
            if tag == _ORIENTATION_TAG:
                return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else UPRIGHT
    except struct.error:
        return UPRIGHT
    return UPRIGHT


DEFAULT = ImageSettings()
REDUCING_GAP = 3.0
"""Large pictures are first averaged down by whole factors to no less than this times `size`: as good, and faster."""

# The classes themselves, not Image.open: no other of Pillow's forty formats can be reached, not even by MPO.
_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": PngImagePlugin.PngImageFile,
    "image/webp": WebPImagePlugin.WebPImageFile,
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow warns of is a broken file. Set once, at import: changing filters inside threads is not safe.
for _category in (UserWarning, RuntimeWarning):
    warnings.filterwarnings("error", category=_category, module=r"PIL\.")


def load_pixels(data: bytes, content_type: str, settings: ImageSettings = DEFAULT) -> npt.NDArray[np.uint8]:
    """Decode a picture and make it a square: uint8 (3, size, size), red, green, blue.

    The largest centred square is scaled to `size` by bicubic interpolation (antialiased), which is to scale the
    shortest side to `size` and crop the centre. EXIF orientation is obeyed, transparency is laid on `background`,
    16-bit grey keeps its upper 8 bits, of an animation the first frame is taken; embedded colour profiles are not
    applied. Raises `MediaError`: `empty`, `too_many_bytes`, `content_type_unknown`, `content_type_mismatch`,
    `image_header`, `image_too_many_parts`, `image_too_many_pixels`, `image_undecodable`.
    """
    declared, _ = media_type(content_type, _DECODERS)
    check_size(data, settings.max_bytes)
    if (found := sniff(data)) != declared:
        raise refuse("content_type_mismatch", f"declared {declared}, the bytes begin as {found or 'none of them'}")
    width, height = read_size(data, declared)
    if width * height > settings.max_pixels:
        raise refuse(
            "image_too_many_pixels", f"got {width} x {height} = {width * height}, takes at most {settings.max_pixels}"
        )
    try:
        return _decode(data, declared, (width, height), settings)
    except MediaError:
        raise
    except Exception as error:  # decoders raise a dozen kinds on broken files, and all mean the same
        raise refuse("image_undecodable", f"{declared}: {type(error).__name__}: {error}") from error


def normalise(pixels: npt.NDArray[np.uint8], settings: ImageSettings = DEFAULT) -> npt.NDArray[np.float32]:
    """(value / 255 - mean) / std: uint8 (..., 3, H, W) to float32 of the same shape, so one call does a batch."""
    std = np.asarray(settings.std, np.float32)
    scale = np.float32(1 / 255) / std
    shift = np.asarray(settings.mean, np.float32) / std
    scaled: npt.NDArray[np.float32] = np.multiply(pixels, scale[:, None, None], dtype=np.float32)
    scaled -= shift[:, None, None]
    return scaled


def _decode(data: bytes, content_type: str, size: tuple[int, int], settings: ImageSettings) -> npt.NDArray[np.uint8]:
    with _DECODERS[content_type](io.BytesIO(data)) as image:
        if image.size != size:
            raise refuse("image_header", f"{content_type}: two sizes, {size} and {image.size}")
        exif = image.info.get("exif")
        turn = _TURNS.get(orientation(exif)) if isinstance(exif, bytes) else None
        image.draft(None, (2 * settings.size, 2 * settings.size))  # JPEG decodes at 1/2, 1/4 or 1/8 size: 3x faster
        image.load()
        square = _square(_plain_mode(image), settings)
    if turn is not None:
        square = square.transpose(turn)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def _plain_mode(image: Image.Image) -> Image.Image:
    """The picture as RGB, or RGBA where it may be transparent."""
    if image.mode.startswith("I"):
        deep: npt.NDArray[Any] = np.asarray(image)
        image = Image.fromarray((deep >> 8).clip(0, 255).astype(np.uint8))
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _square(image: Image.Image, settings: ImageSettings) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    square = image.resize(
        (settings.size, settings.size),
        Image.Resampling.BICUBIC,
        box=(left, top, left + side, top + side),
        reducing_gap=REDUCING_GAP,
    )
    if square.mode == "RGB":
        return square
    ground = Image.new("RGBA", square.size, (*settings.background, 255))
    return Image.alpha_composite(ground, square).convert("RGB")
