"""What a worker under test can be made to suffer: the words that a test and its worker process share.

A test hands an `Interferences` to `WorkerProcess`, which then runs `tests/guarantees/worker.py` instead of
`syncline worker`: the same worker, with these interferences patched in. Most are governed by a switch, a file that
the test makes and removes while the worker runs (`WorkerProcess.switch`); without a switch they are always on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

VARIABLE = "WORKER_INTERFERENCES"
"""The environment variable through which they reach the worker process."""
FAULTY = "faulty"
"""The name of the test model, as in `WorkerProcess(..., model=FAULTY)`."""

Point = Literal["recovering", "proposed", "appended", "publishing", "published"]
"""A place in the life of a decision at which a worker can be stopped or killed:

    recovering   a partition number is assigned, its log is about to be read
    proposed     a batch of decisions is about to be sent to the log
    appended     it is in the log, the worker has not acted on it yet
    publishing   fused results are about to be sent
    published    they are on the broker, nothing of them is resolved or acknowledged
"""


class Interruption(msgspec.Struct, frozen=True, kw_only=True):
    """Stop (SIGSTOP) or kill (SIGKILL) the worker at the `nth` time that it comes to `point`, once.

    With a switch the times are counted from when it is on, and the worker turns it off as it acts.
    """

    point: Point
    nth: int = 1
    action: Literal["stop", "kill"] = "stop"
    switch: str = ""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """Sends of the worker to `topic` (unprefixed) fail while the switch is on.

    `answer_lost`: the broker has what was sent, but the worker is told that it failed.
    """

    topic: str
    switch: str = ""
    answer_lost: bool = False


class ModelFault(msgspec.Struct, frozen=True, kw_only=True):
    """What the model `faulty` does wrong, to which sets, and when.

    throws: raises. hangs: does not return while the switch is on (without one: ever). nan: answers with an embedding
    of NaN. wrong_count: answers one result too few for the whole call. holds_decoding: a decode thread does not come
    back from an event while the switch is on. wrong_type: answers with text. wrong_labels: with a label that is a
    number. wrong_member: with a caption of a member that is none. out_of_memory: raises MemoryError.
    marker: only for sets with a member whose bytes contain this text. switch: only while it is on. for_s: only for so
    many seconds from the first set that the model is given; 0 is for ever. Conditions that are given all must hold.
    """

    kind: Literal[
        "throws", "hangs", "nan", "wrong_count", "holds_decoding", "wrong_type", "wrong_labels", "wrong_member",
        "out_of_memory",
    ]  # fmt: skip
    marker: str = ""
    switch: str = ""
    for_s: float = 0.0


class FaultyModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The model `faulty`: answers each set with an embedding made of its members, `ms_per_set` each."""

    faults: tuple[ModelFault, ...] = ()
    ms_per_set: float = 0.0


class Ailment(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the worker that stops working for no reason of the world outside, from when the switch is on.

    While the switch is on, stands still: `loop` the event loop; `decode` the decode threads; `fetcher` what brings
    records; `tail` the reader of the decision log; `consumer_thread` the thread that both come through; `batcher` the
    batcher (for good). Ends: `model_thread`, `tail_task`, `recovery`, `decode_pool`, `sender` (what sends results),
    `tick` (what lets time pass).
    """

    part: Literal[
        "loop", "decode", "fetcher", "tail", "consumer_thread", "batcher",
        "model_thread", "tail_task", "recovery", "decode_pool", "sender", "tick",
    ]  # fmt: skip
    switch: str


OtherVersion = Literal["", "next", "first"]
"""The version that the worker is of: this one, the next minor one, or 0.1.0; see tests/guarantees/other_version.py."""


class Interferences(msgspec.Struct, frozen=True, kw_only=True):
    """All that one worker process suffers. `mutations`: names in tests/guarantees/mutations.py.

    `folder` is where the switches lie; `WorkerProcess` fills it in.
    """

    interruptions: tuple[Interruption, ...] = ()
    outages: tuple[Outage, ...] = ()
    ailments: tuple[Ailment, ...] = ()
    model: FaultyModelSettings = FaultyModelSettings()
    mutations: tuple[str, ...] = ()
    version: OtherVersion = ""
    folder: str = ""

    def to_text(self) -> str:
        """As the environment variable's value."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def from_environment() -> Interferences:
        """Those that this process was started with; none where the variable is not set."""
        text = os.environ.get(VARIABLE, "")
        return msgspec.json.decode(text, type=Interferences) if text else Interferences()


class Switches:
    """Switches by name: one is on while its file is there. The name "" is always on."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def is_on(self, name: str) -> bool:
        """Whether it is on now."""
        return not name or (self._folder / name).exists()

    def turn(self, name: str, *, on: bool) -> None:
        """Turn it on or off; in the state that it has already nothing happens."""
        if on:
            (self._folder / name).touch()
        else:
            (self._folder / name).unlink(missing_ok=True)
