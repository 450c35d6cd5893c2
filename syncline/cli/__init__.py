"""The command line, `syncline …`.

Each command is a module here with a `typer.Typer` named `app`, imported only when it is the one to run, so that
`syncline --help` is fast and a producer's machine needs no more than it uses. See `root.COMMANDS`.
"""

from __future__ import annotations

import logging
import sys

from syncline.errors import MissingExtraError, SynclineError


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 wrong use or a part is missing, 130 Ctrl-C."""
    # Without a handler aiokafka's warnings of failed attempts go to stderr; the final error says it once.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        try:
            from syncline.cli.root import run
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("typer", "rich"):
                raise
            raise MissingExtraError("the command line", "cli") from error
        run(arguments)
    except SynclineError as error:
        sys.stderr.write(error.line + "\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
