"""Which Syncline this is."""

from __future__ import annotations

import importlib.metadata


def version() -> str:
    """The installed version, `unknown` where the code runs without having been installed."""
    try:
        return importlib.metadata.version("syncline")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
