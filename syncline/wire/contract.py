"""The wire contract's names and limits: topics, headers, types, content types, reasons.

docs/contract.md explains them, with examples for other clients. Inside Syncline topic names have no prefix; it is
added only where Kafka is called.
"""

from __future__ import annotations

VERSION = 1
"""The contract's version, part of every media type (`….v1`) and of every deterministic id."""

MODALITIES = ("image", "text", "audio")
DEFAULT_PREFIX = "syncline."
DEFAULT_GROUP = "syncline"
"""The consumer group of the workers."""
DEFAULT_BROKERS = "localhost:9092"

# Topics, unprefixed. All have the same number of partitions.
MEDIA_TOPICS = ("media.image", "media.text", "media.audio")
DECISIONS = "decisions"
FUSED = "results.fused"
CONVERTED_TEXT = "converted.text"
CONVERTED_AUDIO = "converted.audio"
UNFUSED = "unfused"
DEADLETTER = "deadletter"
RESULT_TOPICS = (FUSED, CONVERTED_TEXT, CONVERTED_AUDIO, UNFUSED, DEADLETTER)
ALL_TOPICS = (*MEDIA_TOPICS, DECISIONS, *RESULT_TOPICS)


def media_topic(modality: str) -> str:
    """Return a modality's topic without prefix: `image` gives `media.image`."""
    return f"media.{modality}"


# Headers: CloudEvents 1.0, Kafka binary mode.
SPEC_VERSION = "1.0"
H_SPEC_VERSION = "ce_specversion"
H_ID = "ce_id"
H_SOURCE = "ce_source"
H_TYPE = "ce_type"
H_TIME = "ce_time"
H_SUBJECT = "ce_subject"
H_LANE = "ce_lane"
H_DURATION_MS = "ce_durationms"
H_LANGUAGE = "ce_language"
H_CONTENT_TYPE = "content-type"
H_TRACEPARENT = "traceparent"
H_TRACESTATE = "tracestate"
H_DATAREF = "ce_dataref"
H_RETRIES = "ce_retries"
H_RETRY_OF = "ce_retryof"
# Headers of unfused and dead-letter records alone; conversions have the set's id too.
H_REASON = "ce_reason"
H_DETAIL = "ce_detail"
H_LATE_BY_MS = "ce_latebyms"
H_ORIGIN_TOPIC = "ce_origintopic"
H_ORIGIN_PARTITION = "ce_originpartition"
H_ORIGIN_OFFSET = "ce_originoffset"
H_ORIGIN_NULL = "ce_originnull"
H_ORIGIN_CUT = "ce_origincut"
H_SET_ID = "ce_setid"
ORIGINAL = "orig."
"""Prefix of the original record's headers on an unfused or dead-letter record."""

MEDIA_TYPES = {modality: f"syncline.media.{modality}.v{VERSION}" for modality in MODALITIES}
"""`ce_type` of each modality's events."""

FUSED_TYPE = f"syncline.results.fused.v{VERSION}"
CONVERTED_TEXT_TYPE = f"syncline.converted.text.v{VERSION}"
CONVERTED_AUDIO_TYPE = f"syncline.converted.audio.v{VERSION}"
UNFUSED_TYPE = f"syncline.unfused.v{VERSION}"
DEADLETTER_TYPE = f"syncline.deadletter.v{VERSION}"

RESULT_SOURCE = "urn:syncline"
"""`ce_source` of everything that the service writes. It and the deterministic id identify a repeat."""

CONTENT_TYPES = {
    "image": ("image/jpeg", "image/png", "image/webp"),
    "text": ("text/plain; charset=utf-8",),
    "audio": ("audio/wav", "audio/flac", "audio/ogg"),
}
"""The content types that each modality takes. `text/plain` without a charset means UTF-8."""

MSGPACK_TYPE = "application/vnd.msgpack"
BYTES_TYPE = "application/octet-stream"

# Limits, in characters unless the name says otherwise.
MAX_ID = 256
MAX_SOURCE = 1_024
MAX_STREAM = 256
MAX_LANE = 64
MAX_LANGUAGE = 35
MAX_TRACESTATE = 512
MAX_CONTENT_TYPE_BYTES = 256
MAX_DURATION_MS = 86_400_000
MAX_RETRIES = 9_999
MAX_HEADERS = 256
MAX_HEADER_BYTES = 64 * 1024
"""Names and values of all headers of a media record, unknown ones too: a worker keeps them with the record.
Tracing agents add about ten, and W3C baggage at most 8 KiB."""
MAX_EVENT_BYTES = 1_000_000
"""Default limit of a media record's value; below Kafka's default of 1 MiB a record."""
MAX_ORIGINAL_HEADER_BYTES = 16 * 1024
"""Dead letters and unfused records carry at most this much of the original headers (names and values).

The topics' own limits of a record are set where topics are made: syncline/kafka/topics.py.
"""
MAX_DETAIL = 1_024

REASONS = {
    "no_key": "the record has no key; the key is the stream's name",
    "unreadable": "the record's batch cannot be read: broken, too large unpacked, or of an unknown codec",
    "key_mismatch": "the key differs from ce_subject",
    "misrouted": "the record is not in partition murmur2(key) mod N",
    "structured_mode": "content-type is application/cloudevents…; only binary mode is taken",
    "missing_header": "a required header is absent or empty",
    "bad_header": "a header is null, not UTF-8, given twice, too long, or has control characters",
    "bad_specversion": "ce_specversion is not 1.0",
    "unknown_type": "ce_type is not a media type of this version of the contract",
    "wrong_topic": "ce_type belongs to another topic",
    "bad_time": "ce_time is not RFC 3339, outside the years 1970 to 2999, or the record has no time at all",
    "bad_duration": "ce_durationms is not a whole number from 0 to 86400000",
    "bad_lane": "ce_lane is not 1 to 64 of A-Z a-z 0-9 . _ -, or is the name of another modality",
    "bad_language": "ce_language is not a BCP 47 tag",
    "bad_content_type": "the modality does not take this content-type, or it is longer than 256 bytes",
    "dataref_refused": "ce_dataref is given; payloads by reference are not taken",
    "null_value": "the value is null",
    "empty_value": "the value has no bytes",
    "headers_too_large": "there are more than 256 headers, or more than 64 KiB of their names and values",
    "too_large": "the value is larger than the limit; with ce_setid: the set's result is too large for its topic",
    "clock": "event time is too far ahead of the broker's append time",
    "lost": "the record of a decided set is no longer in its topic",
    "model_failed": "the model could not answer the record's set",
}
"""The dead-letter reasons of the contract and the service. Those of broken media are in `processors/limits.py`."""

UNFUSED_REASONS = {
    "late": "the event's time was below its lane's watermark, or below a set that a timeout or pressure decided "
    "(late_by_ms: by how much)",
    "unmatched": "the event fits no set, or its set lacks a required lane",
    "duplicate": "an event with this source and id came before",
    "unexpected": "the stream does not wait for this lane",
}
"""Why a valid event is in no set."""
