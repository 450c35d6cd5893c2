"""What is published of one conversion: the record for `converted.text` or `converted.audio`."""

from __future__ import annotations

from typing import Any

from models.interface import Text
from streams.convert.answers import Answer, Refused, Sound
from streams.join.model import Item
from syncline.contract import MAX_DETAIL
from syncline.converted import Converted, ConvertedAudio, ConvertedText, encode_converted
from syncline.events import MediaEvent
from syncline.ids import conversion_id
from syncline.results import ModelInfo, Record


def converted_record(
    event: MediaEvent, item: Item, partition: int, kind: str, answer: Answer, model: ModelInfo, set_id: str
) -> Record:
    """The record of one conversion of `event`, or of why there is none."""
    alone = None if set_id else (item.topic, partition, item.offset)
    about = Converted(
        id=conversion_id(event.stream, item.lane, event.time_ms, event.source, event.id, kind, alone),
        stream=event.stream,
        lane=item.lane,
        modality=event.modality,
        source=event.source,
        event_id=event.id,
        topic=item.topic,
        partition=partition,
        offset=item.offset,
        time_ms=item.time_ms,
        duration_ms=event.duration_ms,
        language=event.language,
        model=model,
        set_id=set_id,
    )
    return encode_converted(_said(about, kind, answer), event.traceparent, event.tracestate)


def _said(about: Converted, kind: str, answer: Answer) -> ConvertedText | ConvertedAudio:
    fields = {name: getattr(about, name) for name in about.__struct_fields__}
    if isinstance(answer, Refused):
        fields |= {"reason": answer.reason, "detail": answer.detail[:MAX_DETAIL]}
        return _audio(fields) if kind == "speech" else _text(fields, kind)
    fields["language"] = answer.language or about.language
    if isinstance(answer, Sound):
        return _audio(fields, answer)
    return _text(fields, kind, answer)


def _audio(fields: dict[str, Any], sound: Sound | None = None) -> ConvertedAudio:
    if sound is None:
        return ConvertedAudio(kind="speech", **fields)
    return ConvertedAudio(
        kind="speech",
        content_type=sound.content_type,
        sample_rate_hz=sound.sample_rate_hz,
        sound_ms=sound.sound_ms,
        data=sound.data,
        **fields,
    )


def _text(fields: dict[str, Any], kind: str, text: Text | None = None) -> ConvertedText:
    said = text or Text("", 0.0)
    words = tuple([tuple(word) for word in said.words])
    return ConvertedText(kind=kind, text=said.text, score=said.score, words=words, **fields)  # pyright: ignore[reportArgumentType]
