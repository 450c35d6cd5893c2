"""The task `transcript`: the word and character error rates of a converter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from models.evaluation.error_rates import characters_of, edit_distance, words_of
from models.evaluation.figures import Figure, rate
from models.evaluation.manifest import BrokenMedia, EvaluationRow, batches, broken_of, prepare_rows
from models.interface import Converter, Prepared, Text
from syncline.errors import MediaError, SettingsError

BATCH = 8


class HeardClip(msgspec.Struct, frozen=True):
    """One clip: what was heard, and its error counts."""

    row: EvaluationRow
    heard: str
    word_errors: int
    n_words: int
    character_errors: int
    n_characters: int


class Transcripts(msgspec.Struct, frozen=True):
    """Error rates: errors divided by what was said; may be above 1. `worst`: clips with the most word errors."""

    n: int
    n_words: int
    word_error_rate: Figure
    character_error_rate: Figure
    exact: Figure
    worst: list[dict[str, str]]


def transcribe(
    converter: Converter, rows: Sequence[EvaluationRow], folder: Path, advance: Callable[[int], None]
) -> tuple[list[HeardClip], list[BrokenMedia]]:
    """Transcribe the audio of each row. What the converter refuses is listed as broken."""
    if converter.kind != "transcript" or converter.modality != "audio":
        raise SettingsError("--convert", converter.name, "a converter of audio to transcripts")
    heard: list[HeardClip] = []
    broken: list[BrokenMedia] = []
    for done, batch in enumerate(batches(rows, BATCH), start=1):
        prepared = prepare_rows(batch, ("audio",), folder, lambda _, *arguments: converter.prepare(*arguments))
        broken += broken_of(prepared)
        media = [
            (row, item)
            for row, lanes in zip(batch, prepared, strict=True)
            if isinstance(item := lanes["audio"], Prepared)
        ]
        for (row, _), answer in zip(media, _convert(converter, [item for _, item in media]), strict=True):
            if isinstance(answer, Text):
                heard.append(_compare(row, answer.text))
            else:
                broken.append(BrokenMedia(row.line, row.entry.id, "audio", answer.reason, answer.detail))
        advance(min(done * BATCH, len(rows)))
    return heard, broken


def score_transcripts(heard: Sequence[HeardClip]) -> Transcripts:
    """Error rates over all clips together: a long clip counts more than a short one."""
    worst = sorted((h for h in heard if h.word_errors), key=lambda h: -h.word_errors)[:5]
    return Transcripts(
        len(heard),
        sum(h.n_words for h in heard),
        rate([h.word_errors for h in heard], [h.n_words for h in heard]),
        rate([h.character_errors for h in heard], [h.n_characters for h in heard]),
        rate([h.word_errors == 0 for h in heard]),
        [{"id": h.row.entry.id, "said": h.row.entry.transcript or "", "heard": h.heard} for h in worst],
    )


def _compare(row: EvaluationRow, heard: str) -> HeardClip:
    said = row.entry.transcript or ""
    words, characters = words_of(said), characters_of(said)
    return HeardClip(
        row, heard, edit_distance(words, words_of(heard)), len(words),
        edit_distance(characters, characters_of(heard)), len(characters),
    )  # fmt: skip


def _convert(converter: Converter, items: Sequence[Prepared]) -> list[Text | MediaError]:
    """An answer or a MediaError for each; a batch that fails as a whole is halved, as the service does."""
    if not items:
        return []
    try:
        return [a if isinstance(a, Text | MediaError) else _no_text(a) for a in converter.run(items)]
    except MediaError as error:
        if len(items) == 1:
            return [error]
        half = len(items) // 2
        return [*_convert(converter, items[:half]), *_convert(converter, items[half:])]


def _no_text(answer: object) -> MediaError:
    return MediaError("no_text", f"the converter answered {type(answer).__name__}")
