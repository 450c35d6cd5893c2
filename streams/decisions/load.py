"""An amount of records."""

from __future__ import annotations

from typing import NamedTuple


class Load(NamedTuple):
    """An amount of records: how many, and their bytes."""

    events: int
    n_bytes: int
