"""Folders of somebody else's models, tiny and random, for tests."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.interface import Member, Model


def manifest(folder: Path, **values: Any) -> Path:
    """Write `model.json`; returns the folder."""
    whole = {"name": "mine", "version": "7", **values}
    (folder / "model.json").write_text(json.dumps(whole))
    return folder


def png(red: int, size: int = 32) -> bytes:
    """A picture of one colour, with a corner of another."""
    pixels = np.full((size, size, 3), (red, 80, 160), np.uint8)
    pixels[: size // 2, : size // 2] = (20, red, 90)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def picture(model: Model, red: int) -> Member:
    return Member("image", "image", model.prepare("image", png(red), "image/png", None))


def text(model: Model, words: str) -> Member:
    return Member("text", "text", model.prepare("text", words.encode(), "text/plain", "en"))
