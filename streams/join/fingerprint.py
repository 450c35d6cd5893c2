"""The settings by which records are decided, as a short text that differs where they do."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from streams.join.settings import JoinSettings
from syncline.contract import VERSION

N_BYTES = 8
_DECIDE_NOTHING = ("max_held_events", "max_held_bytes", "hard_limit_factor")
"""How much is held says when pressure acts; what it may decide then, the others say."""


def fingerprint(settings: JoinSettings, max_event_bytes: int) -> str:
    """Of all settings that decide what becomes of a record, and of the contract's version; 16 hexadecimal digits.

    max_event_bytes: the largest value of a media record.
    """
    deciding = {name: value for name, value in msgspec.structs.asdict(settings).items() if name not in _DECIDE_NOTHING}
    deciding |= {"max_event_bytes": max_event_bytes, "contract": VERSION}
    return blake2b(msgspec.json.encode(deciding, order="deterministic"), digest_size=N_BYTES).hexdigest()
