"""Recognise a media type by its first bytes, without decoding."""

from __future__ import annotations

from syncline.errors import ContractError
from syncline.wire.contract import CONTENT_TYPES, MODALITIES

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}


def sniff_content_type(modality: str, data: bytes) -> str:
    """Return the content type by the first bytes of `data`; text is always UTF-8 text.

    Raises `ContractError("bad_content_type")` if the modality takes no such type: name the content type then.
    """
    check_modality(modality)
    takes = CONTENT_TYPES[modality]
    if modality == "text":
        return takes[0]
    found = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    if found is None and data[:4] == b"RIFF":
        found = _RIFF.get(data[8:12])
    if found is None or found not in takes:
        what = found or f"bytes that begin with {data[:12]!r}"
        raise ContractError("bad_content_type", f"got {what}, {modality} takes {', '.join(takes)}")
    return found


def check_modality(modality: str) -> None:
    """Raise `ContractError("unknown_type")` unless it is one of `MODALITIES`."""
    if modality not in MODALITIES:
        raise ContractError("unknown_type", f"modality is {modality!r}, takes {', '.join(MODALITIES)}")
