"""The folder of a training run: the unfinished run in it, its checkpoints, and its lock."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from multiprocessing import connection, parent_process
from os import _exit
from pathlib import Path
from typing import Any

import msgspec

from models.folder import write_whole
from models.training import parallel
from models.training.curve import EXTRA_HINT
from models.training.display import log
from models.training.training_state import State, pack, unpack
from syncline.errors import SettingsError

CHECKPOINTS = "checkpoints"
CHECKPOINT_S = 120.0
RUN, LOCK, LOG = "run.json", "run.lock", "train.log"
ORPHANS_LIMIT_S = 20.0
"""Seconds that a new run waits for processes that a killed run left behind. They end once they notice."""


class Identity(msgspec.Struct, frozen=True):
    """What a run must have in common with the one it goes on with. `corpus`: file name to size in bytes."""

    name: str
    settings: dict[str, Any]
    corpus: dict[str, int]
    torch: str = ""


class Run(msgspec.Struct, frozen=True):
    """The folder of a run, and how often it gets a checkpoint. Can be sent to another process.

    Attributes:
        out (Path): the folder.
        checkpoint_s (float): seconds between checkpoints.
        checkpoint_steps (int): steps between checkpoints instead; 0: by the clock. Default 0.
        tensorboard (bool): whether to write TensorBoard logs (`has_tensorboard`). Default False.
    """

    out: Path
    checkpoint_s: float = CHECKPOINT_S
    checkpoint_steps: int = 0
    tensorboard: bool = False

    def path(self, phase: str) -> Path:
        """The path of a phase's checkpoint."""
        return self.out / CHECKPOINTS / f"{phase}.safetensors"

    def load(self, phase: str) -> State | None:
        """Read a phase's checkpoint; None where there is none. Every process gets that of the first."""
        path = self.path(phase)
        data = path.read_bytes() if parallel.is_first() and path.exists() else None
        data = parallel.bytes_from_first(data)
        return None if data is None else unpack(data, path)

    def save(self, phase: str, state: State) -> None:
        """Replace a phase's checkpoint. Only the first process writes."""
        if parallel.is_first():
            write_whole(self.path(phase), pack(state))


def has_tensorboard() -> bool:
    """Whether TensorBoard is installed."""
    return find_spec("tensorboard") is not None


def begin(run: Run, identity: Identity, resume: bool | None) -> bool:
    """Begin a run in its folder, or go on with the unfinished one.

    Args:
        run (Run): the run's folder.
        identity (Identity): what tells the run from other runs.
        resume (bool | None): None goes on with an unfinished run, True insists on one, False throws it away.

    Returns:
        bool: whether an unfinished run goes on.

    Raises:
        SettingsError: the unfinished run is another one, or `resume` insists and there is none.
    """
    path = run.out / RUN
    unfinished = path.exists()
    if unfinished and resume is not False:
        _check_same(path, identity)
    elif resume:
        raise SettingsError("--resume", str(run.out), "a folder with an unfinished run: there is none to go on with")
    else:
        shutil.rmtree(run.out / CHECKPOINTS, ignore_errors=True)
    write_whole(path, msgspec.json.encode(identity))
    goes_on, settings = unfinished and resume is not False, msgspec.json.encode(identity.settings).decode()
    log.info("%s %s: %s", "going on with" if goes_on else "training", identity.name, settings)
    if not run.tensorboard:
        log.info("no TensorBoard logs; they need %s", EXTRA_HINT)
    return goes_on


def finish(run: Run) -> None:
    """Remove the checkpoints of a run that has its weights."""
    (run.out / RUN).unlink(missing_ok=True)
    shutil.rmtree(run.out / CHECKPOINTS, ignore_errors=True)


def _check_same(path: Path, mine: Identity) -> None:
    try:
        theirs = msgspec.json.decode(path.read_bytes(), type=Identity)
    except msgspec.DecodeError as error:
        raise SettingsError("--out", str(path), f"a whole {RUN}, or --fresh to begin anew ({error})") from error
    differences = [f"{key} {old!r} there, {new!r} here" for key, old, new in _differences(theirs, mine) if old != new]
    if differences:
        raise SettingsError(
            "--out",
            str(path.parent),
            f"the settings of the unfinished run in it, another folder, or --fresh to begin anew: "
            f"{'; '.join(differences)}",
        )


def _differences(theirs: Identity, mine: Identity) -> list[tuple[str, Any, Any]]:
    keys = list(dict.fromkeys([*theirs.settings, *mine.settings]))
    return [
        ("name", theirs.name, mine.name),
        *((key, theirs.settings.get(key), mine.settings.get(key)) for key in keys),
        ("bytes of the corpus", theirs.corpus, mine.corpus),
        ("torch", theirs.torch, mine.torch),
    ]


def identity_of(name: str, settings: Any, corpus_dirs: Sequence[Path], torch_version: str) -> Identity:
    """What tells a run from others."""
    files = [path for folder in corpus_dirs for path in sorted(folder.glob("*")) if path.is_file()]
    corpus = {f"{path.parent.name}/{path.name}": path.stat().st_size for path in files}
    return Identity(name, msgspec.to_builtins(settings), corpus, torch_version)


def occupy(out: Path, *, alone: bool) -> AbstractContextManager[Any]:
    """Lock the folder until the process ends or the value is closed. Does nothing on Windows.

    Args:
        out (Path): the folder.
        alone (bool): wait until no other process has it; else share it with the other processes of this run.

    Raises:
        SettingsError: another run uses the folder.
    """
    if sys.platform == "win32":
        return nullcontext()
    import fcntl

    file = (out / LOCK).open("w")
    deadline_s = time.monotonic() + ORPHANS_LIMIT_S
    while alone:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if time.monotonic() > deadline_s:
                file.close()
                raise SettingsError("--out", str(out), "a folder in which no other run is at work") from None
            time.sleep(0.1)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def end_with_parent() -> None:
    """End this process once its parent is gone, also by kill -9: a resumed run needs the folder."""
    parent = parent_process()
    if parent is None:
        return

    def wait(sentinel: int = parent.sentinel) -> None:
        connection.wait([sentinel])
        _exit(1)

    threading.Thread(target=wait, daemon=True).start()
