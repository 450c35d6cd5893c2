"""`python -m tests.guarantees.worker SETTINGS...`: `syncline worker` with the interferences of its environment.

The worker is the real one, in this process; see tests/support/interferences.py for what can be patched into it.
"""

from __future__ import annotations

import sys

from syncline.cli import main
from tests.guarantees.ailments import ail
from tests.guarantees.faulty_model import register
from tests.guarantees.interruptions import interrupt
from tests.guarantees.mutations import mutate
from tests.guarantees.other_version import become
from tests.guarantees.outages import refuse
from tests.support.interferences import Interferences, Switches


def run(arguments: list[str]) -> None:
    """Interfere, then run the worker until it ends; exits as `syncline worker` does."""
    interferences = Interferences.from_environment()
    switches = Switches(interferences.folder)
    mutate(interferences.mutations)
    refuse(interferences.outages, switches)
    interrupt(interferences.interruptions, switches)
    ail(interferences.ailments, switches)
    register(interferences.model, switches)
    become(interferences.version)
    main(["worker", *arguments])


if __name__ == "__main__":
    run(sys.argv[1:])
