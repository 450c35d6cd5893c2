"""Cuts results that are too large for their topic, step by step (docs/contract.md)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from syncline.errors import ContractError
from syncline.wire import contract as c
from syncline.wire.converted import (
    ConvertedAudio,
    ConvertedText,
    decode_converted,
    decode_converted_audio,
    encode_converted,
)
from syncline.wire.deadletters import shrink_dead_letter, without_original_headers
from syncline.wire.results import OutgoingRecord, ResultMember, decode_fused, encode_map


def shrink(record: OutgoingRecord) -> OutgoingRecord | None:
    """Leave one part out and note it in the record; None if nothing more may be left out.

    A fused result loses its members' words, then its embedding; a conversion its text or sound, with the reason
    `conversion_too_large`; a dead letter its value, its key, then the original's headers; an unfused event the
    original's headers.
    """
    return _RULES[record.topic](record) if record.topic in _RULES else None


def _fused(record: OutgoingRecord) -> OutgoingRecord | None:
    result = decode_fused(record.value)
    if any(member.words for member in result.members):
        members: tuple[ResultMember, ...] = tuple(
            [msgspec.structs.replace(member, words=()) for member in result.members]
        )
        smaller = msgspec.structs.replace(result, members=members, cut=(*result.cut, "words"))
    elif result.embedding is not None:
        smaller = msgspec.structs.replace(result, embedding=None, cut=(*result.cut, "embedding"))
    else:
        return None
    return record._replace(value=encode_map(smaller))


def _text(record: OutgoingRecord) -> OutgoingRecord | None:
    said = decode_converted(record.value)
    return None if said.reason else _without(record, said, text="", score=0.0, words=())


def _audio(record: OutgoingRecord) -> OutgoingRecord | None:
    said = decode_converted_audio(record.value)
    return None if said.reason else _without(record, said, data=b"", content_type="", sample_rate_hz=0, sound_ms=0)


def _without(record: OutgoingRecord, said: ConvertedText | ConvertedAudio, **nothing: object) -> OutgoingRecord:
    detail = f"the {said.kind} is too large for its topic"
    why = {"reason": "conversion_too_large", "detail": detail}
    return record._replace(value=encode_converted(msgspec.structs.replace(said, **nothing, **why)).value)


def _foreign(
    rule: Callable[[OutgoingRecord], OutgoingRecord | None],
) -> Callable[[OutgoingRecord], OutgoingRecord | None]:
    """Make a rule skip records that are not our results."""

    def careful(record: OutgoingRecord) -> OutgoingRecord | None:
        try:
            return rule(record)
        except ContractError:
            return None

    return careful


_RULES: dict[str, Callable[[OutgoingRecord], OutgoingRecord | None]] = {
    c.FUSED: _foreign(_fused),
    c.CONVERTED_TEXT: _foreign(_text),
    c.CONVERTED_AUDIO: _foreign(_audio),
    c.DEADLETTER: lambda record: shrink_dead_letter(record) or without_original_headers(record),
    c.UNFUSED: without_original_headers,
}
