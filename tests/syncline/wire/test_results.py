"""Laws of `syncline.results`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import ContractError
from syncline.wire import contract
from syncline.wire.arrays import from_numpy
from syncline.wire.converted import decode_converted, decode_converted_audio, encode_converted
from syncline.wire.results import decode_fused, decode_unfused, encode_fused, encode_map
from tests.support.contract import TRACEPARENT, example_converted, example_fused, example_speech, example_unfused

DECODERS = [decode_fused, decode_converted, decode_unfused]


@given(
    st.lists(st.tuples(st.text(), st.floats(0, 1))),
    st.lists(st.floats(width=32, allow_nan=False), max_size=8),
    st.dictionaries(st.text(), st.floats(0, 1e6)),
)
def test_fused_results_come_back(labels: list[Any], embedding: list[float], timings_ms: dict[str, float]) -> None:
    """Decoding undoes encoding."""
    result = example_fused(
        labels=tuple(labels), embedding=from_numpy(np.array(embedding, np.float32)), timings_ms=timings_ms
    )
    assert decode_fused(encode_fused(result).value) == result


def test_other_results_come_back() -> None:
    """Decoding undoes encoding for conversions and unfused events."""
    assert decode_converted(encode_converted(example_converted()).value) == example_converted()
    assert decode_converted_audio(encode_converted(example_speech()).value) == example_speech()
    assert decode_unfused(encode_map(example_unfused())) == example_unfused()


def test_speech_without_a_sound_says_why() -> None:
    """Nobody can play nothing."""
    refused = example_speech(data=b"", reason="language")
    assert decode_converted_audio(encode_converted(refused).value) == refused
    with pytest.raises(ContractError, match="bad_result"):
        decode_converted_audio(encode_converted(example_speech(data=b"")).value)


def test_plain_msgpack_reads_a_fused_result() -> None:
    """Any MessagePack library reads results as maps of the documented names."""
    found = msgpack.unpackb(encode_fused(example_fused()).value)
    assert list(found) == [
        "id", "stream", "start_ms", "end_ms", "outcome", "reason", "missing", "members", "labels", "embedding", "model",
        "timings_ms", "cut",
    ]  # fmt: skip
    assert found["members"][0]["event_id"] == "e1"
    assert found["members"][1]["words"] == [["hello", ""]]
    assert found["labels"] == [["cat", 0.75], ["dog", 0.25]]
    array = found["embedding"]
    assert np.frombuffer(array["data"], array["dtype"]).reshape(array["shape"]).tolist() == [0, 1, 2, 3]
    assert found["model"] == {"name": "reference", "version": "1"}


def test_plain_msgpack_reads_the_others() -> None:
    """Conversions and unfused events are maps too."""
    assert msgpack.unpackb(encode_converted(example_converted()).value)["text"] == "a cat"
    assert msgpack.unpackb(encode_map(example_unfused()))["late_by_ms"] == 100


def test_a_result_is_a_cloud_event_of_its_stream() -> None:
    """Key, id, type, time and trace are where CloudEvents has them."""
    record = encode_fused(example_fused(), TRACEPARENT, "a=b")
    assert (record.topic, record.key) == ("results.fused", b"lobby")
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"f1",
        "ce_source": contract.RESULT_SOURCE.encode(),
        "ce_type": b"syncline.results.fused.v1",
        "ce_time": b"1970-01-01T00:00:01.000Z",
        "ce_subject": b"lobby",
        "content-type": contract.MSGPACK_TYPE.encode(),
        "traceparent": TRACEPARENT.encode(),
        "tracestate": b"a=b",
    }


def test_fields_of_a_later_version_are_ignored() -> None:
    """A consumer of today reads what a service of tomorrow adds."""
    found = msgpack.unpackb(encode_fused(example_fused()).value)
    assert decode_fused(msgpack.packb({**found, "added": [1, 2]})) == example_fused()


@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: decode.__name__)
@pytest.mark.parametrize("value", [b"", b"\xc1", msgpack.packb([1]), msgpack.packb({"id": 1}), b"\x81\xa2id\xa1\xff"])
def test_broken_values_are_bad_results(decode: Callable[[bytes], Any], value: bytes) -> None:
    """Nothing but ContractError comes out of a value that is no result."""
    with pytest.raises(ContractError) as caught:
        decode(value)
    assert caught.value.reason == "bad_result"


def test_a_lying_embedding_is_refused() -> None:
    """Array sizes are checked when a result is read."""
    found = msgpack.unpackb(encode_fused(example_fused()).value)
    found["embedding"]["shape"] = [2**40]
    with pytest.raises(ContractError, match="bad_array"):
        decode_fused(msgpack.packb(found))
