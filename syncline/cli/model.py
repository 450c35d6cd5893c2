"""`syncline model train|evaluate|list|convert`: train, evaluate, list and convert models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

from models import registry
from models.folder import as_json
from syncline.cli.progress import show_progress
from syncline.errors import SettingsError

What = Annotated[
    str,
    typer.Argument(
        metavar="MANIFEST.jsonl|MODEL",
        help="JSON lines with id and any of image, audio (paths), text, label, transcript, language; or the name "
        "or folder of a model, to score it on a split of the corpus.",
    ),
]
ModelName = Annotated[
    str | None, typer.Option(help="With a manifest: name or folder of the model. Default: reference.")
]
Tasks = Annotated[
    list[str] | None,
    typer.Option(help="With a manifest: labels, retrieval or transcript; repeatable. Default: all that it allows."),
]
Convert = Annotated[
    str | None, typer.Option(help="With a manifest: what transcribes, such as transcript=whisper:FOLDER.")
]
Split = Annotated[
    str | None, typer.Option(help="With a model: validation (default) to choose by; test once, at the end.")
]
Language = Annotated[str | None, typer.Option(help="With a model: language of the texts, en (default) or zh.")]
SplitCorpus = Annotated[Path | None, typer.Option(help="With a model: folder of the corpus. Default: corpus.")]
JsonPath = Annotated[
    Path | None,
    typer.Option("--json", "--out", help="Write the report there as JSON as well; - prints only JSON."),
]


def evaluate(
    what: What = "reference",
    model: ModelName = None,
    task: Tasks = None,
    convert: Convert = None,
    split: Split = None,
    language: Language = None,
    corpus: SplitCorpus = None,
    json_path: JsonPath = None,
) -> None:
    """Evaluate a model, with 95 % intervals: accuracy, retrieval, word and character error rates.

    Files that cannot be used are named and counted; a wrong line of the manifest ends with exit code 2. Exit code 1
    where nothing could be scored. See docs/evaluation.md.
    """
    if what.endswith(".jsonl"):
        _refuse(
            "a MODEL in the place of the manifest", **{"--split": split, "--language": language, "--corpus": corpus}
        )
        _on_manifest(Path(what), model or "reference", task or [], convert or "transcript", json_path)
    else:
        _refuse("a MANIFEST.jsonl before it", **{"--model": model, "--task": task, "--convert": convert})
        _on_split(what, split or "validation", language or "en", corpus or Path("corpus"), json_path)


def _refuse(takes: str, **options: object) -> None:
    for name, value in options.items():
        if value:
            raise SettingsError(name, str(value), takes)


def _on_manifest(path: Path, model: str, tasks: list[str], convert: str, json_path: Path | None) -> None:
    from models.evaluation.report import as_text
    from models.evaluation.run import evaluate_manifest

    report = evaluate_manifest(path, model, tasks, convert, show_progress)
    _give(report, as_text(report), json_path)
    if not report.has_figures():
        typer.echo("nothing could be scored", err=True)
        raise typer.Exit(1)


def _on_split(model: str, split: str, language: str, corpus: Path, json_path: Path | None) -> None:
    from models.evaluation import protocol
    from models.evaluation.scores import on_split

    if split not in protocol.SPLITS[1:]:
        raise SettingsError("--split", split, ", ".join(protocol.SPLITS[1:]))
    style, voice = protocol.style_of(split), protocol.voice_of(split)
    texts = on_split.texts_of(protocol.texts(), language)
    opened = registry.load(model)
    media = on_split.read_media(opened, corpus, protocol.concepts(), texts, style, voice)
    about = {"split": split, "style": style, "voice": voice, "language": language}
    report = on_split.evaluate(opened, media, protocol.concepts(), about)
    _give(report, on_split.as_text(report), json_path)


def _give(report: msgspec.Struct, text: str, json_path: Path | None) -> None:
    data = as_json(report)
    if json_path == Path("-"):
        typer.echo(data.decode(), nl=False)
        return
    typer.echo(text)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_bytes(data)


SYNTHESIS = "synthesis"
SYNTHESIS_MINUTES, FUSION_MINUTES = 48.0, 32.0


Name = Annotated[
    str, typer.Argument(help="synthesis trains the voice; any other name a fusing model, named so in results.")
]
Seed = Annotated[int, typer.Option(help="Seed of weights, batches and changes of media.")]
Minutes = Annotated[float | None, typer.Option(help="Wall time, on 2 cores. Default: 32; for synthesis 48.")]
Out = Annotated[Path | None, typer.Option(help="Folder to write. Default: runs/NAME.")]
Corpus = Annotated[Path, typer.Option(help="Folder of the corpus that `make corpus` built.")]
WithoutHeldOut = Annotated[bool, typer.Option(help="Leave the protocol's 100 zero-shot concepts out.")]
Steps = Annotated[
    str,
    typer.Option(
        help="Steps instead of the clock: repeats to the bit. IMAGE,TEXT,AUDIO,FUSION; for synthesis SPELLING,VOICE."
    ),
]
Patience = Annotated[int, typer.Option(help="End a part after this many validations without an improvement; 0: never.")]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--fresh",
        help="Insist on going on with the unfinished run in the folder, or throw it away. Default: go on with it "
        "where there is one of the same settings.",
    ),
]
CheckpointMinutes = Annotated[float, typer.Option(help="Minutes between checkpoints.")]
Device = Annotated[str, typer.Option(help="cpu, or cuda: one GPU for each process of torchrun.")]


class Given(NamedTuple):
    """The options of every training."""

    folder: Path
    corpus: Path
    seed: int
    minutes: float
    steps: str
    patience: int
    resume: bool | None
    checkpoint_s: float


def train(
    name: Name = "reference",
    seed: Seed = 1,
    minutes: Minutes = None,
    out: Out = None,
    corpus: Corpus = Path("corpus"),
    held_out: WithoutHeldOut = False,
    steps: Steps = "",
    patience: Patience = 0,
    resume: Resume = None,
    checkpoint_minutes: CheckpointMinutes = 2.0,
    device: Device = "cpu",
) -> None:
    """Train a model; progress on stderr and in OUT/train.log.

    A run that was stopped, also by kill -9, goes on from its last checkpoint when the same command is given again.
    Data-parallel: torchrun --nproc-per-node N -m syncline model train ... See docs/training.md.
    """
    if checkpoint_minutes < 0:
        raise SettingsError("--checkpoint-minutes", checkpoint_minutes, "a number of at least 0")
    folder, default_minutes = out or Path("runs") / name, SYNTHESIS_MINUTES if name == SYNTHESIS else FUSION_MINUTES
    given = Given(
        folder, corpus, seed, default_minutes if minutes is None else minutes, steps, patience, resume,
        checkpoint_minutes * 60,
    )  # fmt: skip
    if name == SYNTHESIS:
        then = _train_synthesis(given, held_out=held_out, device=device)
    else:
        then = _train_fusion(name, given, held_out=held_out, device=device)
    if then:
        typer.echo(f"written: {given.folder}; next: {then}")


def _train_fusion(name: str, given: Given, *, held_out: bool, device: str) -> str:
    """Return the next steps; "" in all processes of torchrun but the first."""
    from models.evaluation import protocol
    from models.training import parallel
    from models.training.reference.trainer import ReferenceTrainer
    from models.training.run_folder import Run
    from models.training.settings import PhaseSteps, ReferenceSettings, parse_steps

    settings = ReferenceSettings(
        seed=given.seed,
        minutes=given.minutes,
        steps=parse_steps(given.steps, PhaseSteps) if given.steps else None,
        held_out=held_out,
        patience=given.patience,
    )
    without = frozenset(protocol.held_out().names if held_out else ())
    texts, words = protocol.texts(), protocol.words()
    parallel.start(device)
    try:
        run, concepts = Run(given.folder, given.checkpoint_s), protocol.concepts()
        ReferenceTrainer(name, settings, run, given.corpus, concepts, texts, words, without).train(given.resume)
        return f"syncline model evaluate {given.folder}" if parallel.is_first() else ""
    finally:
        parallel.stop()


def _train_synthesis(given: Given, *, held_out: bool, device: str) -> str:
    from models.training.run_folder import Run
    from models.training.settings import SynthesisSettings, VoiceSteps, parse_steps
    from models.training.synthesis.voice import VoiceTrainer

    if held_out:
        raise SettingsError("--held-out", True, "a model that fuses: synthesis has no concepts to leave out")
    if device != "cpu" or os.environ.get("WORLD_SIZE", "1") != "1":
        raise SettingsError(SYNTHESIS, f"--device {device}", "one process on the CPU: it is not trained data-parallel")
    settings = SynthesisSettings(
        seed=given.seed,
        minutes=given.minutes,
        steps=parse_steps(given.steps, VoiceSteps) if given.steps else None,
        patience=given.patience,
    )
    run = Run(given.folder, given.checkpoint_s)
    VoiceTrainer(SYNTHESIS, settings, run, given.corpus).train(given.resume)
    return f"python -m models.training.synthesis evaluate --model {given.folder}"


app = typer.Typer(no_args_is_help=True, help="Train, evaluate, list or convert models.")
app.command()(train)
app.command()(evaluate)


@app.command("list")
def list_models() -> None:
    """List the repository's models with their versions and labels."""
    for name in registry.names():
        typer.echo(f"{name:<12} {registry.describe(name)}")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Weights as a torch pickle: .pt, .pth, .bin, .ckpt.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
) -> None:
    """Convert pickled weights to safetensors, which contain no code; no code of the pickle is run."""
    from models.adapters.convert import convert as run

    done = run(source, target)
    typer.echo(f"written: {done.path}, {done.n_tensors} tensors, {done.n_bytes:,} bytes")
    typer.echo(f"sha256 for model.json: {done.sha256}")
