"""Decode the files named on the command line (CONTENT_TYPE PATH ...) and print how many MiB that took at its highest.

A program of its own, because the highest memory of a process never goes down again.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from processors.audio import load_log_mel
from processors.image import load_pixels
from syncline.errors import MediaError


def peak_mib() -> float:
    """The highest resident memory of this process so far; macOS counts bytes, Linux KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Print one line a file with its outcome, then the growth in MiB."""
    before_mib = peak_mib()
    for content_type, path in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        load = load_pixels if content_type.startswith("image") else load_log_mel
        try:
            load(Path(path).read_bytes(), content_type)
            sys.stdout.write("ok\n")
        except MediaError as error:
            sys.stdout.write(f"{error.reason}\n")
    sys.stdout.write(f"{peak_mib() - before_mib:.0f}\n")


main()
