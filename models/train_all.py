"""Trains everything from nothing: `python -m models.train_all` (`make train-all`).

Each part is a command of its own, so it can be given alone, and what is there already is left alone. Parts that take
both cores run one after the other; those that take one, side by side.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from models.evaluation.protocol import PAIRS
from models.registry import MANIFEST

Part = tuple[str, Path, list[str]]
"""What is trained, the file that is there when it is done, and the command."""
Line = list[Part]
"""Parts that run one after the other."""

MINUTES, HELD_OUT_MINUTES = 40, 32
"""Of a model and of a zero-shot one: three seeds of both take 3 h 36; then the voice takes 48 minutes."""


class Taken(msgspec.Struct, frozen=True):
    """How many seconds a part took."""

    part: str
    seconds: float


def models(runs_dir: Path, seeds: Sequence[int]) -> Line:
    """The model of each seed, and its zero-shot sibling. Each takes two cores."""
    train = [sys.executable, "-m", "syncline", "model", "train", "reference"]
    out: Line = []
    for seed in seeds:
        full, held_out = runs_dir / f"seed-{seed}", runs_dir / f"held-out-{seed}"
        for folder, minutes, more in ((full, MINUTES, []), (held_out, HELD_OUT_MINUTES, ["--held-out"])):
            command = [*train, "--seed", str(seed), "--minutes", str(minutes), "--out", str(folder), *more]
            out.append((folder.name, folder / MANIFEST, command))
    return out


def specialists(runs_dir: Path, seeds: Sequence[int]) -> Line:
    """The specialists of each seed, on one core."""
    out: Line = []
    for seed in seeds:
        full = runs_dir / f"seed-{seed}"
        command = [sys.executable, "-m", "models.training.reference.specialists", str(full)]
        out.append((f"specialists-{seed}", full / "specialists" / PAIRS[-1] / MANIFEST, command))
    return out


def voice(runs_dir: Path) -> Line:
    """The voice, on one core."""
    folder = runs_dir / "synthesis"
    command = [sys.executable, "-m", "syncline", "model", "train", "synthesis", "--out", str(folder)]
    return [(folder.name, folder / MANIFEST, command)]


def stages(runs_dir: Path, seeds: Sequence[int]) -> list[list[Line]]:
    """All stages. They run one after the other, the lines of a stage side by side."""
    return [[models(runs_dir, seeds)], [voice(runs_dir), specialists(runs_dir, seeds)]]


def main() -> int:
    """Run what is missing. Stops at the first part that fails, with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.train_all", description="Train all models.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one model each (default: 1 2 3)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder to write (default: runs/)")
    parser.add_argument("--list", action="store_true", help="only say which commands there are")
    given = parser.parse_args()
    for lines in stages(given.runs, given.seeds):
        if given.list:
            sys.stdout.writelines(f"{name}: {' '.join(command)}\n" for line in lines for name, _, command in line)
            continue
        with ThreadPoolExecutor(len(lines)) as pool:
            codes = list(pool.map(lambda line: _run(line, given.runs / "times.jsonl"), lines))
        if any(codes):
            return next(filter(None, codes))
    return 0


def _run(line: Line, times: Path) -> int:
    """Run one part after the other. Returns the exit code of the first that fails."""
    for name, done, command in line:
        if done.exists():
            sys.stderr.write(f"{name}: is there ({done.parent})\n")
            continue
        started_s = time.monotonic()
        code = subprocess.run(command, check=False).returncode
        if code != 0:
            sys.stderr.write(f"{name}: failed with exit code {code}\n")
            return code
        _note(times, Taken(name, round(time.monotonic() - started_s, 1)))
    return 0


def _note(path: Path, taken: Taken) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(taken) + b"\n")
    sys.stderr.write(f"{taken.part}: {taken.seconds:.0f} s\n")


if __name__ == "__main__":
    sys.exit(main())
