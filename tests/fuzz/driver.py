"""`python -m tests.fuzz.driver TARGET [libFuzzer's arguments]`: one target under atheris, until told to stop."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["processors", "streams", "syncline", "tests.fuzz.targets"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.limits import within_limits


def main() -> None:
    """Hand the process over to libFuzzer."""
    target = TARGETS[sys.argv.pop(1)]

    def one_input(data: bytes) -> None:
        within_limits(target, data)

    target(b"")  # what is loaded once counts to no input
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
