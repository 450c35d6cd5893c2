"""The orientation of a picture from its EXIF block, and nothing else of it.

Own code, because Pillow's parser reads every tag, warns of broken ones and is meant for whole TIFF files.
"""

from __future__ import annotations

import struct

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
