"""Runs the protocol: `python -m models.evaluation.scores` (`make evaluate`). The only reader of the test split."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from models import registry
from models.adapters.adapter_manifest import read_kind
from models.evaluation.protocol import CORPUS_DIR, PAIRS, SPLITS, concepts, specialist_folder
from models.evaluation.scores.answers_found import ScoresReport
from models.evaluation.scores.ask import RememberingModel
from models.evaluation.scores.examine import Examination, open_sentences, zero_shot
from models.evaluation.scores.tables import notes, parts, write_card
from models.folder import as_json, write_whole
from models.reference.checkpoint import read_manifest
from syncline.errors import SettingsError, SynclineError


def examine(folder: Path, corpus_dir: Path, split: str) -> ScoresReport:
    """Put the protocol to one model; to a zero-shot model only its questions about held-out concepts."""
    manifest = read_manifest(folder)
    model = RememberingModel(folder)
    about = (manifest.name, manifest.version, int(manifest.training.get("seed", 0)), split)
    if manifest.training.get("held_out"):
        return ScoresReport(*about, {"zero-shot": zero_shot(model, open_sentences(), corpus_dir, concepts(), split)})
    examination = Examination(model, corpus_dir, concepts(), split)
    outcomes, n_among = examination.retrieval()
    outcomes |= examination.fusion()
    plain = RememberingModel(folder, fuse=False)
    for section in ("clean en", "clean zh", "degraded en"):
        condition, language = section.split()
        fused = [kind for kind in outcomes[section] if "+" in kind]
        outcomes[f"sum {section}"] = examination.section(plain, condition, language, fused)
    for pair in PAIRS:
        if (specialist_folder(folder, pair) / registry.MANIFEST).exists():
            specialist = RememberingModel(specialist_folder(folder, pair))
            found = examination.section(specialist, "clean", "en", [pair])
            outcomes.setdefault("specialists", {}).update(found)
    return ScoresReport(*about, outcomes, n_among)


def find_models(names: Sequence[str], runs_dir: Path) -> list[Path]:
    """The folders of the named models; by default the shipped one and all in `runs_dir`.

    Where `runs_dir` has the run that the shipped one came from, that folder is taken: it has the specialists.
    """
    if names:
        return [registry.find_folder(name) for name in names]
    made = sorted(path.parent for path in runs_dir.glob(f"*/{registry.MANIFEST}") if not read_kind(path.parent))
    made = [path for path in made if "seed" in read_manifest(path).training]
    shipped = registry.find_folder("reference")
    weights = [read_manifest(path).sha256 for path in made]
    return made if read_manifest(shipped).sha256 in weights else [shipped, *made]


def write_report(report: ScoresReport, path: Path) -> None:
    """Write the outcomes."""
    write_whole(path, as_json(report))


def read_report(path: Path) -> ScoresReport:
    """Read outcomes that `write_report` wrote.

    Raises:
        SettingsError: the file was not written by `write_report`.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=ScoresReport)
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError("--read", str(path), f"a JSON file that this command wrote ({error})") from error


def as_text(reports: Sequence[ScoresReport]) -> str:
    """All tables of some seeds of one model."""
    seeds = ", ".join(str(report.seed) for report in reports)
    first = reports[0]
    lines = [f"# {first.model} {first.version} on {first.split}, seed {seeds}", ""]
    for title, made in parts(reports).items():
        lines += [f"## {title}", "", made, ""]
    return "\n".join([*lines, *notes(reports), ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit codes are those of `SynclineError`."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.scores", description="Run the protocol.")
    parser.add_argument("models", nargs="*", help="names or folders (default: the shipped model and all in --runs)")
    parser.add_argument("--split", choices=SPLITS[1:], default="test", help="validation to choose by (default: test)")
    parser.add_argument("--corpus", type=Path, default=CORPUS_DIR, help="folder of the corpus (default: corpus/)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of trained models (default: runs/)")
    parser.add_argument("--out", type=Path, default=Path("runs/scores"), help="folder to write (default: runs/scores)")
    parser.add_argument("--read", type=Path, nargs="+", help="only make the tables of these JSON files, of any seeds")
    parser.add_argument("--card", type=Path, help="also write the tables onto this card, between its marks")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # two, beside other work, wait for each other at every step: 637 s and not 24
    try:
        reports = [read_report(path) for path in given.read] if given.read else examine_all(given)
        groups = by_kind(reports)
        if given.card:
            write_card(given.card, groups)
    except SynclineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    for alike in groups:
        sys.stdout.write(as_text(alike))
    return 0


def by_kind(reports: Sequence[ScoresReport]) -> list[list[ScoresReport]]:
    """Reports of models that fuse, then of zero-shot models; empty groups are left out."""
    groups = [[r for r in reports if ("zero-shot" in r.outcomes) == held_out] for held_out in (False, True)]
    return [group for group in groups if group]


def examine_all(given: argparse.Namespace) -> list[ScoresReport]:
    """Examine the models asked for, one of each seed and kind, and write their outcomes."""
    reports: dict[str, ScoresReport] = {}
    for folder in find_models(given.models, given.runs):
        manifest = read_manifest(folder)
        kind = "zero-shot" if manifest.training.get("held_out") else "fusion"
        name = f"{kind}-{given.split}-{manifest.training.get('seed', 0)}.json"
        if name in reports:
            sys.stderr.write(f"{folder}: left out, its seed was examined already\n")
            continue
        started_s = time.monotonic()
        reports[name] = examine(folder, given.corpus, given.split)
        write_report(reports[name], given.out / name)
        sys.stderr.write(f"{folder}: {time.monotonic() - started_s:.0f} s, {given.out / name}\n")
    return list(reports.values())


if __name__ == "__main__":
    sys.exit(main())
