"""Imports Faust without side effects; nothing else imports it.

`faust/__init__.py` looks for `--datadir`, `-L` and `--loop` in sys.argv and the environment of the importing program,
and writes what it finds into os.environ.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

_WRITTEN = ("FAUST_DATADIR", "FAUST_LOOP")
_argv, _before = list(sys.argv), {name: os.environ.get(name) for name in _WRITTEN}
sys.argv[:] = sys.argv[:1]
try:
    # Any: its annotations are incomplete, and tests pin what is used.
    faust: Any = importlib.import_module("faust")
    driver: Any = importlib.import_module("faust.transport.drivers.aiokafka")
    assignor: Any = importlib.import_module("faust.assignor.partition_assignor")
    client_assignment: Any = importlib.import_module("faust.assignor.client_assignment")
finally:
    sys.argv[:] = _argv
    for _name, _value in _before.items():
        if _value is None:
            os.environ.pop(_name, None)
        else:
            os.environ[_name] = _value

__all__ = ["assignor", "client_assignment", "driver", "faust"]
