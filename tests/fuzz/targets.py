"""What is fuzzed: for each target a function that takes any bytes, and raises only where the code breaks its law.

The law of each: only the errors that the code declares, within a second of CPU time. What is decoded must also be what
it claims to be: arrays of the right shape without NaN, headers that read back the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiokafka.record.memory_records import MemoryRecords

from processors.audio import load_log_mel
from processors.compressed import page_checksum
from processors.image import load_pixels
from processors.limits import REASONS
from processors.settings import ImageSettings
from processors.text import Tokens, load_text
from processors.words import tag_words
from streams.decisions.entries import LogRecord, decode_entry, encode_entry, version_headers
from syncline.errors import ContractError, MediaError, NewerVersionError
from syncline.kafka.tolerant_fetch import _Reader
from syncline.wire import contract as c
from syncline.wire.arrays import Array, to_numpy
from syncline.wire.converted import decode_converted, decode_converted_audio
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.events import build_headers, check_value, parse_headers
from syncline.wire.results import decode_fused, decode_unfused
from tests.support.batches import HEAD_BYTES, batch_of, resealed

IMAGE = ImageSettings(size=32, max_pixels=1_000_000)
MAX_UNPACKED_BYTES = 2**20
TOKENIZER = Path(__file__).parents[2] / "models" / "reference" / "tokenizer.json"
CUT = b"\xff\x00"
"""Between the fields of a target's input."""
_NAMES = sorted(value for name, value in vars(c).items() if name.startswith("H_"))
_ARRAY = msgspec.msgpack.Decoder(Array)


def image(data: bytes) -> None:
    """The first byte chooses the content type, the rest is the file."""
    content_type = c.CONTENT_TYPES["image"][data[0] % 3] if data else "image/png"
    try:
        pixels = load_pixels(data[1:], content_type, IMAGE)
    except MediaError as error:
        _is_declared(error)
    else:
        assert (pixels.shape, pixels.dtype) == ((3, 32, 32), np.uint8)


def wav(data: bytes) -> None:
    """A WAV file, read by our own parser."""
    _sound(data, "audio/wav")


def compressed(data: bytes) -> None:
    """FLAC or Ogg; an odd first byte seals broken Ogg pages, so that they come as far as libsndfile."""
    body = data[1:]
    if data[:1] and data[0] % 2:
        body = _sealed(body)
    _sound(body, "audio/flac" if body.startswith(b"fLaC") else "audio/ogg")


def _sound(data: bytes, content_type: str) -> None:
    try:
        mels = load_log_mel(data, content_type)
    except MediaError as error:
        _is_declared(error)
    else:
        assert mels.shape[0] == 64
        assert np.isfinite(mels).all()


def _sealed(data: bytes) -> bytes:
    sealed, at = bytearray(data), 0
    while data.startswith(b"OggS", at) and at + 27 < len(data):
        end = at + 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        sealed[at + 22 : at + 26] = struct.pack("<I", page_checksum(bytes(sealed[at:end])))
        at = end
    return bytes(sealed)


def text(data: bytes) -> None:
    """The first byte chooses the language; the text goes on to words and tokens."""
    try:
        found = load_text(data[1:], "text/plain; charset=utf-8")
        tokens = _tokens()(found)
    except MediaError as error:
        _is_declared(error)
        return
    language = (None, "en", "zh-Hans", "ja", "ko-KR")[data[0] % 5]
    words = tag_words(found, language)
    assert 1 <= len(tokens) <= 128
    assert all(word and word in found for word, _ in words)


@lru_cache(maxsize=1)
def _tokens() -> Tokens:
    return Tokens(TOKENIZER)


def headers(data: bytes) -> None:
    """Topic, key, then names and values by turns; a name of one byte stands for one of the contract's."""
    first, *fields = data.split(CUT)
    topic = c.MEDIA_TOPICS[first[0] % 3] if first else "media.image"
    names, values = fields[::2], fields[1::2]
    given = [(_name(name), value if value != b"\0" else None) for name, value in zip(names, values, strict=False)]
    try:
        event = parse_headers(topic, first[1:] or None, given, 1_700_000_000_000)
    except ContractError as error:
        _is_declared(error, c.REASONS)
        return
    assert parse_headers(topic, first[1:], build_headers(event), 0) == event
    try:
        check_value(event, data[:100] or None)
    except ContractError as error:
        _is_declared(error, c.REASONS)


def _name(name: bytes) -> str:
    return _NAMES[name[0] % len(_NAMES)] if len(name) == 1 else name.decode(errors="replace")


def batches(data: bytes) -> None:
    """Records behind a batch's head, as a broker might hand them on; the first byte says how they are packed."""
    whole = batch_of([(1_700_000_000_000, b"k", b"v", [])] * 3)
    codec = data[0] % 8 if data else 0
    reader = _Reader(MemoryRecords, MAX_UNPACKED_BYTES)
    records = reader(resealed(whole[:HEAD_BYTES] + data[1:], codec))
    while records.has_next():
        for record in records.next_batch():
            assert all(isinstance(name, str) for name, _ in record.headers)
            assert len(record.value or b"") <= MAX_UNPACKED_BYTES + len(data)


def decisions(data: bytes) -> None:
    """An entry of the decision log; an odd first byte gives it the present version's header."""
    version = version_headers()[0][1] if data[:1] and data[0] % 2 else None
    try:
        entry = decode_entry(LogRecord(7, data[1:], version))
    except NewerVersionError:
        assert version is not None
        return
    if entry is not None:
        again = decode_entry(LogRecord(7, encode_entry(entry), version))
        assert repr(again) == repr(entry)  # NaN is unlike itself


def results(data: bytes) -> None:
    """The first byte chooses the topic, the rest is the value; for dead letters, key, value and headers."""
    decode: tuple[Callable[[bytes], Any], ...] = (
        decode_fused,
        decode_converted,
        decode_unfused,
        _dead_letter,
        decode_converted_audio,
    )
    try:
        found = decode[data[0] % len(decode) if data else 0](data[1:])
        embedding = getattr(found, "embedding", None)
        if embedding is not None:
            assert to_numpy(embedding).size == len(embedding.values())
    except (ContractError, NewerVersionError):
        return


def _dead_letter(data: bytes) -> Any:
    key, value, *fields = [*data.split(CUT), b"", b""]
    given = [(_name(name), value) for name, value in zip(fields[::2], fields[1::2], strict=False)]
    return decode_dead_letter(key, value, given)


def arrays(data: bytes) -> None:
    """An array as MessagePack."""
    try:
        array = _ARRAY.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    try:
        assert to_numpy(array).size == len(array.values())
    except ContractError as error:
        _is_declared(error, ("bad_array",))


def _is_declared(error: MediaError | ContractError, reasons: Container[str] = REASONS) -> None:
    assert error.reason in reasons
    assert error.detail


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (image, wav, compressed, text, headers, batches, decisions, results, arrays)
}
"""By name; each has a folder of that name in tests/fuzz/corpus/."""
