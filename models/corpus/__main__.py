"""Builds the corpus from nothing: `make corpus` or `python -m models.corpus [--splits]`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from models.corpus import CORPUS_DIR
from models.corpus.arrays import pack_pictures, pack_speech, write_phones
from models.corpus.concepts import derive_concepts, draw_texts
from models.corpus.packages import STYLES, fetch_packages
from models.corpus.pictures import render_pictures
from models.corpus.speech import ESPEAK, FLITE, check_speakers, speak_all
from models.protocol import PROTOCOL_DIR, concepts, voices
from syncline.errors import SettingsError, SynclineError

TEXT_SEED = 1


def build(corpus_dir: Path) -> None:
    """Fetch, render, speak and pack whatever `corpus_dir` lacks. Raises SettingsError where the splits disagree."""
    corpus_dir.mkdir(parents=True, exist_ok=True)
    fetch_packages(corpus_dir / "npm")
    check_speakers()
    if derive_concepts(corpus_dir / "npm") != concepts():
        raise SettingsError("models/protocol/concepts.json", "other concepts", "those of the packages (--splits)")
    render_pictures(corpus_dir / "npm", corpus_dir / "pictures", concepts(), list(STYLES))
    speak_all(corpus_dir / "speech", concepts(), [*FLITE, *ESPEAK, *voices("test")])
    arrays_dir = corpus_dir / "arrays"
    arrays_dir.mkdir(exist_ok=True)
    write_phones(arrays_dir, concepts())
    for split in ("train", "validation"):
        pack_pictures(corpus_dir / "pictures", arrays_dir, split, concepts())
        pack_speech(corpus_dir / "speech", arrays_dir, split, concepts())


def write_splits(corpus_dir: Path) -> None:
    """Write `concepts.json` and `texts.json` anew from the packages. The model must be trained anew then."""
    fetch_packages(corpus_dir / "npm")
    derived = derive_concepts(corpus_dir / "npm")
    for name, value in (("concepts", derived), ("texts", draw_texts(derived, TEXT_SEED))):
        (PROTOCOL_DIR / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def main() -> int:
    """Run the command line; exit codes are those of `SynclineError`."""
    parser = argparse.ArgumentParser(prog="python -m models.corpus", description="Build the emoji corpus.")
    parser.add_argument("--out", type=Path, default=CORPUS_DIR, help="folder to build in (default: corpus/)")
    parser.add_argument("--splits", action="store_true", help="write the committed list of concepts and texts anew")
    arguments = parser.parse_args()
    started_s = time.monotonic()
    try:
        if arguments.splits:
            write_splits(arguments.out)
        else:
            build(arguments.out)
    except SynclineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    n_bytes = sum(path.stat().st_size for path in arguments.out.rglob("*") if path.is_file())
    sys.stderr.write(f"corpus: {n_bytes / 2**20:.0f} MiB in {arguments.out}, {time.monotonic() - started_s:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
