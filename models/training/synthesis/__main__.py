"""`python -m models.training.synthesis corpus|evaluate|samples`: the voice's corpus, its figures, its samples."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models.evaluation.protocol import CORPUS_DIR
from models.folder import as_json
from models.synthesis.converter import SHIPPED_DIR
from models.training.display import Display
from models.training.synthesis import corpus
from syncline.errors import SynclineError


def main(argv: list[str] | None = None) -> int:
    """Run the command line. Exit codes: those of `SynclineError`, and 1 where a bar is missed."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except SynclineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.training.synthesis", description="Teach the voice.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("corpus", help="speak the sentences (flite; 120 MB, 2 minutes)")
    build.add_argument("--sentences", action="store_true", help="draw the committed sentences anew (npm)")
    build.set_defaults(run=_corpus)
    evaluate = commands.add_parser("evaluate", help="let a recogniser listen; print the table and the bars")
    evaluate.add_argument("--split", choices=corpus.SPLITS[1:], help="one set of sentences (default: both of the test)")
    evaluate.add_argument("--out", type=Path, help="JSON file to write")
    evaluate.set_defaults(run=_evaluate)
    samples = commands.add_parser("samples", help="write the page that plays samples of each speaker")
    samples.add_argument("--out", type=Path, default=Path("docs"), help="folder (default: docs)")
    samples.set_defaults(run=_samples)
    for command in (build, evaluate, samples):
        command.add_argument("--corpus", type=Path, default=CORPUS_DIR, help="folder of the corpus (default: corpus/)")
    for command in (evaluate, samples):
        command.add_argument("--model", type=Path, default=SHIPPED_DIR, help="folder of the voice (default: shipped)")
    return parser


def _corpus(arguments: argparse.Namespace) -> int:
    if arguments.sentences:
        corpus.write_sentences(arguments.corpus)
    else:
        with Display():
            folder = corpus.build(arguments.corpus)
        sys.stderr.write(f"corpus of speech: {folder}\n")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from models.training.synthesis.evaluate import as_text, evaluate

    report = evaluate(arguments.model, arguments.corpus, [arguments.split] if arguments.split else corpus.TESTS)
    if arguments.out is not None:
        arguments.out.write_bytes(as_json(report))
    sys.stdout.write(as_text(report) + "\n")
    return 0 if report.passes() else 1


def _samples(arguments: argparse.Namespace) -> int:
    from models.training.synthesis.samples import write_page

    page = write_page(arguments.model, arguments.corpus, arguments.out)
    sys.stderr.write(f"written: {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
