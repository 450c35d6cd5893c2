"""How many bytes something takes in an entry of the decision log."""

from __future__ import annotations

import msgspec

_encoder = msgspec.msgpack.Encoder()


def encoded_bytes(thing: object) -> int:
    """By encoding it: names are of any alphabet, and numbers of any length."""
    return len(_encoder.encode(thing))
