"""The command line in this process, as a person runs it: much faster than a process for each command."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from syncline.cli import main


class Ran(NamedTuple):
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str


def run_command(*arguments: str) -> Ran:
    """Run `syncline ARGUMENTS`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return Ran(int(caught.value.code or 0), out.getvalue(), err.getvalue())


async def run_command_beside(*arguments: str) -> Ran:
    """The same from a test that runs an event loop."""
    return await asyncio.to_thread(run_command, *arguments)


def as_flags(settings: Mapping[str, object]) -> list[str]:
    """Settings by name as flags of a command."""
    return [text for name, value in settings.items() for text in ("--" + name.replace("_", "-"), str(value))]
