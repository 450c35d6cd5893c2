"""`python -m tests.fuzz`: run every target for a while and say what came of it; `--keep` makes the corpus grow.

Exit code 1 where an input broke a law: it lies in tests/fuzz/findings/, and belongs into the corpus once it is mended.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
CORPUS, FINDINGS = HERE / "corpus", HERE / "findings"
ROOT = HERE.parents[1]
MAX_INPUT_BYTES = 4_096
MAX_RSS_MIB = 1_500
HANG_S = 20
"""libFuzzer's own watch, by the clock on the wall; the limit of CPU time is the target's."""
EXTRA_S = 60
"""For the start of a target, beside the time that it is given."""
_DONE = re.compile(r"#(\d+)\s+DONE.*? cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)")


class Outcome(NamedTuple):
    """What one target's run came to. `findings`: files of inputs that broke its law."""

    target: str
    n_runs: int
    n_branches: int
    n_inputs: int
    n_new: int
    findings: tuple[Path, ...]


def fuzz(target: str, seconds: int, work: Path) -> Outcome:
    """Run one target for `seconds`, from its corpus and its seeds; new inputs go to `work`."""
    from tests.fuzz.seeds import WORDS, seeds

    kept, fresh = CORPUS / target, work / target
    for folder in (kept, fresh, FINDINGS):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (fresh / f"seed-{number:03}").write_bytes(seed)
    n_before, before = len(list(fresh.iterdir())), set(FINDINGS.iterdir())
    command = [
        sys.executable, "-m", "tests.fuzz.driver", target, str(fresh), str(kept), f"-max_total_time={seconds}",
        f"-max_len={MAX_INPUT_BYTES}", f"-rss_limit_mb={MAX_RSS_MIB}", f"-timeout={HANG_S}", "-print_final_stats=1",
        f"-artifact_prefix={FINDINGS}/{target}-",
    ]  # fmt: skip
    if target in WORDS:
        dictionary = work / f"{target}.dict"
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS[target]))
        command.append(f"-dict={dictionary}")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + EXTRA_S, check=False)
    said = _DONE.search(done.stderr)
    findings = tuple(sorted(set(FINDINGS.iterdir()) - before))
    if said is None and not findings:
        raise SystemExit(f"{target} did not run: {done.stderr[-2_000:]}")
    n_runs, n_branches, _, n_inputs = map(int, said.groups()[:4]) if said else (0, 0, 0, 0)
    return Outcome(target, n_runs, n_branches, n_inputs, len(list(fresh.iterdir())) - n_before, findings)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def keep(target: str, work: Path) -> tuple[int, int]:
    """Let the corpus hold the smallest inputs that reach what all together reach; how many those are, their bytes."""
    from tests.fuzz.minimise import smallest
    from tests.fuzz.seeds import seeds
    from tests.fuzz.targets import TARGETS

    kept, made = CORPUS / target, set(seeds(target))
    found = [path.read_bytes() for folder in (kept, work / target) for path in folder.iterdir()]
    chosen = [data for data in smallest(TARGETS[target], found) if data not in made]  # seeds are made anew
    for old in kept.iterdir():
        old.unlink()
    for data in chosen:
        (kept / sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return len(chosen), sum(map(len, chosen))


def main() -> int:
    """Run as the arguments say; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--keep", action="store_true", help="let the corpus in the repository grow, minimised")
    options = parser.parse_args()
    if sys.platform != "linux":
        sys.stderr.write("fuzzing needs Linux: atheris, which finds the way into the code, runs nowhere else\n")
        return 2
    from tests.fuzz.targets import TARGETS

    if unknown := set(options.targets) - set(TARGETS):
        sys.stderr.write(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}\n")
        return 2
    findings: list[Path] = []
    sys.stdout.write(f"{'target':<12}{'runs':>10}{'branches':>10}{'corpus':>8}{'new':>6}  findings\n")
    with tempfile.TemporaryDirectory(prefix="syncline-fuzz-") as folder:
        for target in options.targets or TARGETS:
            one = fuzz(target, options.seconds, Path(folder))
            findings += one.findings
            names = ", ".join(path.name for path in one.findings) or "none"
            line = f"{target:<12}{one.n_runs:>10}{one.n_branches:>10}{one.n_inputs:>8}{one.n_new:>6}  {names}\n"
            sys.stdout.write(line)
            sys.stdout.flush()
            if options.keep and not one.findings:
                n_kept, n_bytes = keep(target, Path(folder))
                sys.stdout.write(f"{'':<12}the corpus now: {n_kept} inputs, {n_bytes} bytes\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
