"""Builds the corpus from nothing: `make corpus` or `python -m models.training.corpus [--splits]`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from models.evaluation.protocol import CORPUS_DIR, PROTOCOL_DIR, HeldOut, concepts, conditions, voices, words
from models.folder import as_json
from models.training.corpus.arrays import pack_pictures, pack_speech, pack_words, write_phones, write_word_phones
from models.training.corpus.concepts import (
    alter_texts,
    derive_concepts,
    draw_held_out,
    draw_texts,
    draw_words,
    subgroups,
)
from models.training.corpus.packages import STYLES, fetch_packages
from models.training.corpus.pictures import render_pictures
from models.training.corpus.speech import ESPEAK, FLITE, check_speakers, speak_all, speak_words
from models.training.display import Display
from syncline.errors import SettingsError, SynclineError

TEXT_SEED = 1


def build(corpus_dir: Path) -> None:
    """Fetch, render, speak and pack what is missing.

    Raises:
        SettingsError: the splits disagree.
    """
    corpus_dir.mkdir(parents=True, exist_ok=True)
    fetch_packages(corpus_dir / "npm")
    check_speakers()
    if derive_concepts(corpus_dir / "npm") != concepts():
        raise SettingsError(
            "models/evaluation/protocol/concepts.json", "other concepts", "those of the packages (--splits)"
        )
    render_pictures(corpus_dir / "npm", corpus_dir / "pictures", concepts(), list(STYLES))
    speak_all(corpus_dir / "speech", concepts(), [*FLITE, *ESPEAK, *voices("test")])
    arrays_dir = corpus_dir / "arrays"
    arrays_dir.mkdir(exist_ok=True)
    write_phones(arrays_dir, concepts())
    for split in ("train", "validation"):
        pack_pictures(corpus_dir / "pictures", arrays_dir, split, concepts())
        pack_speech(corpus_dir / "speech", arrays_dir, split, concepts())
    speak_words(corpus_dir / "words", words())
    pack_words(corpus_dir / "words", corpus_dir / "words" / "speech.npz", len(words()))
    write_word_phones(corpus_dir / "words", arrays_dir, words())


def write_splits(corpus_dir: Path) -> None:
    """Write the lists of concepts, words and texts again. The models must then be trained again."""
    fetch_packages(corpus_dir / "npm")
    derived = derive_concepts(corpus_dir / "npm")
    drawn = draw_texts(derived, TEXT_SEED)
    names = draw_held_out(derived, subgroups(corpus_dir / "npm", derived), TEXT_SEED)
    files = {
        "concepts": derived,
        "texts": drawn,
        "held-out": HeldOut(TEXT_SEED, names),
        "words": draw_words(corpus_dir / "npm", derived, names, TEXT_SEED),
        "altered-texts": alter_texts(derived, drawn, conditions()),
    }
    for name, value in files.items():
        (PROTOCOL_DIR / f"{name}.json").write_bytes(as_json(value))


def main() -> int:
    """Run the command line; exit codes are those of `SynclineError`."""
    parser = argparse.ArgumentParser(prog="python -m models.training.corpus", description="Build the emoji corpus.")
    parser.add_argument("--out", type=Path, default=CORPUS_DIR, help="folder to build in (default: corpus/)")
    parser.add_argument("--splits", action="store_true", help="write the committed list of concepts and texts anew")
    arguments = parser.parse_args()
    started_s = time.monotonic()
    try:
        if arguments.splits:
            write_splits(arguments.out)
        else:
            with Display():
                build(arguments.out)
    except SynclineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    n_bytes = sum(path.stat().st_size for path in arguments.out.rglob("*") if path.is_file())
    sys.stderr.write(f"corpus: {n_bytes / 2**20:.0f} MiB in {arguments.out}, {time.monotonic() - started_s:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
