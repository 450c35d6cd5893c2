"""Trains everything from nothing, one after the other: `python -m models.training.everything` (`make train-all`).

Each part is a command of its own, so it can be given alone, and what is there already is left alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from models.registry import MANIFEST

Part = tuple[str, Path, list[str]]
"""What is trained, the file that is there when it is done, and the command."""


MINUTES, HELD_OUT_MINUTES = 40, 32
"""Of a model and of a zero-shot one: three seeds of both take 3 h 36; the voice takes 48 minutes more."""


class Taken(msgspec.Struct, frozen=True):
    """How long a part took, in seconds."""

    part: str
    seconds: float


def parts(runs_dir: Path, seeds: Sequence[int]) -> list[Part]:
    """All models: for each seed the model, its zero-shot sibling; the first seed's specialists; and the voice."""
    train = [sys.executable, "-m", "syncline", "model", "train", "reference"]
    out: list[Part] = []
    for seed in seeds:
        full, held_out = runs_dir / f"seed-{seed}", runs_dir / f"held-out-{seed}"
        for folder, minutes, more in ((full, MINUTES, []), (held_out, HELD_OUT_MINUTES, ["--held-out"])):
            command = [*train, "--seed", str(seed), "--minutes", str(minutes), "--out", str(folder), *more]
            out.append((folder.name, folder / MANIFEST, command))
    first = runs_dir / f"seed-{seeds[0]}"
    command = [sys.executable, "-m", "models.training.specialists", str(first)]
    out.append(("specialists", first / "specialists" / "text+audio" / MANIFEST, command))
    voice = runs_dir / "synthesis"
    command = [sys.executable, "-m", "syncline", "model", "train", "synthesis", "--out", str(voice)]
    out.append((voice.name, voice / MANIFEST, command))
    return out


def main() -> int:
    """Run what is not there yet; the exit code is that of the first part that fails."""
    parser = argparse.ArgumentParser(prog="python -m models.training.everything", description="Train all models.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one model each (default: 1 2 3)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder to write (default: runs/)")
    parser.add_argument("--list", action="store_true", help="only say which commands there are")
    given = parser.parse_args()
    for name, done, command in parts(given.runs, given.seeds):
        if given.list:
            sys.stdout.write(f"{name}: {' '.join(command)}\n")
            continue
        if done.exists():
            sys.stderr.write(f"{name}: is there ({done.parent})\n")
            continue
        started_s = time.monotonic()
        code = subprocess.run(command, check=False).returncode
        if code != 0:
            sys.stderr.write(f"{name}: failed with exit code {code}\n")
            return code
        _note(given.runs / "times.jsonl", Taken(name, round(time.monotonic() - started_s, 1)))
    return 0


def _note(path: Path, taken: Taken) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(taken) + b"\n")
    sys.stderr.write(f"{taken.part}: {taken.seconds:.0f} s\n")


if __name__ == "__main__":
    sys.exit(main())
