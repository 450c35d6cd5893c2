"""What the fuzzer starts from: a small valid input of each kind, and the words of each format."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from streams.decisions.entries import Batch, Claim, SnapshotPart, encode_entry
from streams.join.items import DeadLetterDecision, FailedDecision, Item, RunDecision, SetDecision, UnfusedDecision
from syncline.wire import contract as c
from syncline.wire.arrays import from_numpy
from syncline.wire.events import build_headers
from syncline.wire.results import encode_map
from tests.fuzz.targets import _NAMES, CUT
from tests.support.bad_input.files import small_files
from tests.support.bad_input.texts import UTF8_BREACHES
from tests.support.batches import GZIP, HEAD_BYTES, batch_of
from tests.support.contract import example_converted, example_event, example_fused, example_speech, example_unfused
from tests.support.letters import dead_record

_CHUNKS = b"IHDR IDAT PLTE IEND acTL fcTL fdAT tRNS iCCP VP8L VP8X ANIM ANMF ALPH".split()
_MARKERS = (b"VP8 ", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xc4", b"\xff\xdb", b"\xff\xd9")
_PACKETS = (b"\x01vorbis", b"\x03vorbis", b"\x05vorbis", b"\xff\xf8")
WORDS: dict[str, tuple[bytes, ...]] = {
    "image": (*_CHUNKS, *_MARKERS),
    "wav": (b"RIFF", b"WAVE", b"fmt ", b"data", b"LIST", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80"),
    "compressed": (b"fLaC", b"OggS", b"OpusHead", b"OpusTags", *_PACKETS),
    "headers": (CUT, b"1.0", *(name.encode() for name in c.MEDIA_TYPES.values())),
}
"""By target, tokens that libFuzzer may put in."""


def seeds(target: str) -> Iterator[bytes]:
    """The first inputs of a target."""
    yield from {
        "image": _images, "wav": _wavs, "compressed": _compressed, "text": _texts, "headers": _headers,
        "batches": _batches, "decisions": _decisions, "results": _results, "arrays": _arrays,
    }[target]()  # fmt: skip


def _images() -> Iterator[bytes]:
    for file in small_files():
        if file.family == "image":
            yield bytes([c.CONTENT_TYPES["image"].index(file.content_type)]) + file.data


def _wavs() -> Iterator[bytes]:
    yield from (file.data for file in small_files() if file.content_type == "audio/wav")


def _compressed() -> Iterator[bytes]:
    yield from (b"\1" + file.data for file in small_files() if file.content_type in ("audio/flac", "audio/ogg"))


def _texts() -> Iterator[bytes]:
    for number, words in enumerate(
        ("hello, world: it's 3.14", "你好，世界", "東京タワーへ行く", "Größe e\u0301 \u202e")
    ):
        yield bytes([number]) + words.encode()
    yield b"\1" + "你'好".encode()  # found by the fuzzer: one word over an apostrophe
    yield from (b"\0" + breach for breach in UTF8_BREACHES.values())


def _fields(pairs: list[tuple[str, bytes]]) -> Iterator[bytes]:
    for name, value in pairs:
        yield bytes([_NAMES.index(name)]) if name in _NAMES else name.encode()
        yield value


def _headers() -> Iterator[bytes]:
    event = example_event(retries=2)
    yield CUT.join((b"\0" + event.stream.encode(), *_fields(build_headers(event))))


def _batches() -> Iterator[bytes]:
    rows = [(1_700_000_000_000, b"k", b"value", [("ce_id", b"1")])] * 3
    yield b"\0" + batch_of(rows)[HEAD_BYTES:]
    yield bytes([GZIP]) + batch_of(rows, GZIP)[HEAD_BYTES:]


def _decisions() -> Iterator[bytes]:
    item = Item("lobby", "image", "media.image", 3, 1_000, 1_040, 5, 2_000)
    dead = DeadLetterDecision("media.image", 4, "image_header", item)
    one = SetDecision("lobby", "earliest", "partial", "timeout", 1_000, (item,), ("text",), 1_000)
    run = RunDecision("media.text", 1, 5, "unfused", "late")
    failed = FailedDecision((("media.image", 3),), "model_failed")
    claim = Claim("w/1/0", 3, 0, 1)
    part = SnapshotPart(7, 2, 0, 1, {"media.image": 3}, 5, 0, claim, [], {"lobby": 5})
    for entry in (claim, Batch(0, 2, [one, dead, run, failed, UnfusedDecision(item, "late", 5)]), part):
        yield b"\1" + encode_entry(entry)


def _results() -> Iterator[bytes]:
    for number, result in (
        (0, example_fused()),
        (1, example_converted()),
        (2, example_unfused()),
        (4, example_speech()),
    ):
        yield bytes([number]) + encode_map(result)
    letter = dead_record()
    yield b"\3" + CUT.join((letter.key or b"", letter.value, *_fields(letter.headers)))


def _arrays() -> Iterator[bytes]:
    for dtype in (np.float32, np.float16, np.int64, np.uint8):
        yield msgspec.msgpack.encode(from_numpy(np.zeros((2, 3), dtype)))
    # Found by the fuzzer: nought times anything fits no data, and numpy raised.
    yield msgspec.msgpack.encode({"dtype": "|u1", "shape": [2, 2**62, 0], "data": b""})
