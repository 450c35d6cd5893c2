"""What each version wrote is read by today's code, and what today's code writes by a reader of the first version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import msgpack
import msgspec
import pytest

from streams.decisions.entries import (
    HEADER,
    MAJOR,
    MINOR,
    Claim,
    LogRecord,
    ResolvedRun,
    SnapshotPart,
    decode_entry,
    encode_entry,
)
from syncline.wire.converted import decode_converted, decode_converted_audio
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.events import parse_headers
from syncline.wire.results import OutgoingRecord, decode_fused, decode_unfused
from tests.wire import make
from tests.wire.frozen import LOG, RESULTS, SINCE, TYPES, read_entry
from tests.wire.make import FOLDER, frozen, to_json
from tests.wire.samples import entries, samples
from verify.wire import read_published

VERSIONS = sorted(path.stem for path in FOLDER.glob("*.json"))
DECODE: dict[str, Callable[[bytes], Any]] = {
    "results.fused": decode_fused, "converted.text": decode_converted, "converted.audio": decode_converted_audio,
    "unfused": decode_unfused,
}  # fmt: skip


def agrees(found: Any, expected: Any) -> bool:
    """Whether a struct says what the reader of the first version reads; what that one does not know is left aside."""
    if isinstance(expected, Mapping):
        known = {name: value for name, value in expected.items() if name != "kind" or hasattr(found, "kind")}
        if isinstance(found, Mapping):
            return found.keys() == known.keys() and all(agrees(found[name], known[name]) for name in known)
        return all(agrees(getattr(found, name), value) for name, value in known.items())
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(agrees, found, expected))
    return found == expected


def within(found: Any, expected: Any) -> bool:
    """Whether a MessagePack value holds all that is expected, perhaps more fields."""
    if isinstance(expected, dict):
        return all(name in found and within(found[name], value) for name, value in expected.items())
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(within, found, expected))
    return found == expected


def test_every_version_up_to_this_one_is_frozen() -> None:
    """Whoever raises the version makes its file; it has the records of the one before, and what is new."""
    assert [f"{MAJOR}.{minor}" for minor in range(MINOR + 1)] == VERSIONS
    for version in VERSIONS:
        assert list(frozen(version)) == [name for name in samples() if SINCE.get(name, "1.0") <= version]


def test_a_frozen_file_is_never_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    """Not by whoever changes the form and forgets the version."""
    assert make.main() == 1
    assert "never changed" in capsys.readouterr().err


def test_what_is_written_today_is_what_is_frozen_of_this_version() -> None:
    """A change of the form without a new number is found here."""
    written = {name: to_json(record) for name, record in samples().items()}
    assert written == {name: to_json(record) for name, record in frozen(f"{MAJOR}.{MINOR}").items()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", LOG)
def test_todays_code_reads_the_log_of_every_version(version: str, name: str) -> None:
    """Entry by entry, as it was meant; kinds of decisions by their tag."""
    record = frozen(version)[name]
    entry = decode_entry(LogRecord(0, record.value, dict(record.headers).get(HEADER)))
    assert agrees(entry, LOG[name])
    if name == "log batch":
        kinds = [msgspec.inspect.type_info(type(one)).tag for one in entry.decisions]  # type: ignore[union-attr]
        assert kinds == [one["kind"] for one in LOG[name]["decisions"]]


def test_the_first_version_had_no_header_and_named_nothing_as_resolved() -> None:
    """Records of 0.1.0 are in the logs for as long as these are kept."""
    first, second = frozen("1.0"), frozen("1.1")
    assert {name for name in LOG if first[name].headers} == set()
    assert {second[name].headers[0] for name in LOG} == {(HEADER, b"1.1")}
    old, new = (decode_entry(LogRecord(0, one["log snapshot of the rest"].value)) for one in (first, second))
    assert isinstance(old, SnapshotPart)
    assert isinstance(new, SnapshotPart)
    assert old.resolved == []
    assert new.resolved == [ResolvedRun("media.image", 9, 12)]


def test_a_claim_names_its_group_its_settings_and_the_count_of_partitions_since_1_3() -> None:
    """In older ones all of it is empty, which says nothing."""
    old, new = (decode_entry(LogRecord(0, frozen(version)["log claim"].value)) for version in ("1.2", "1.3"))
    assert old == Claim("w/1/0", 3, 1, 0)
    assert new == entries()["claim"]


@pytest.mark.parametrize("name", entries())
def test_the_form_of_1_2_can_still_be_written(name: str) -> None:
    """Byte by byte, for a deployment that may go back to the release before."""
    assert encode_entry(entries()[name], "1.2") == frozen("1.2")[f"log {name}"].value


@pytest.mark.parametrize(
    ("version", "name"), [(v, name) for v in VERSIONS for name in RESULTS if SINCE.get(name, "1.0") <= v]
)
def test_todays_code_reads_the_results_of_every_version(version: str, name: str) -> None:
    """Every field with its value."""
    record = frozen(version)[name]
    found = DECODE[record.topic](record.value)
    expected = dict(RESULTS[name])
    if embedding := expected.pop("embedding", None):
        assert (found.embedding.dtype, list(found.embedding.shape)) == (embedding["dtype"], embedding["shape"])
        assert bytes(found.embedding.data) == embedding["data"]
    assert agrees(found, expected)


@pytest.mark.parametrize(
    ("version", "name"), [(v, name) for v in VERSIONS for name in RESULTS if SINCE.get(name, "1.0") <= v]
)
def test_the_checker_reads_the_results_of_every_version(version: str, name: str) -> None:
    """Where they stand, and of their fields those that it judges by."""
    record = frozen(version)[name]
    found = read_published(record.topic, SimpleNamespace(**record._asdict(), offset=11))
    assert found.at == 11
    known = {field for field in found.__struct_fields__ if field in RESULTS[name]}
    assert {"id"} < known
    for field in known - {"members"}:
        assert agrees(getattr(found, field), RESULTS[name][field])
    for member, expected in zip(getattr(found, "members", ()), RESULTS[name].get("members", ()), strict=True):
        assert agrees(member, {field: value for field, value in expected.items() if field != "words"})


@pytest.mark.parametrize("version", VERSIONS)
def test_todays_code_reads_the_dead_letters_of_every_version(version: str) -> None:
    """A null value is null again, and the original's headers are there byte by byte."""
    null, failed = (_letter(frozen(version)[name]) for name in ("dead letter null", "dead letter of a set"))
    assert (null.id, null.reason, null.detail) == ("media.image/1/4", "null_value", "the value is null")
    assert (null.topic, null.partition, null.offset, null.key, null.data) == ("media.image", 1, 4, b"lobby", None)
    assert null.headers == (("ce_id", b"frame-4"), ("x", b"\xff"))
    assert (failed.data, failed.set_id, failed.reason) == (b"hello", "f9", "model_failed")


@pytest.mark.parametrize("version", VERSIONS)
def test_todays_code_reads_the_media_events_of_every_version(version: str) -> None:
    """Each header, and the defaults of those that are not there."""
    found = {
        name: parse_headers(record.topic, record.key, record.headers, 0)
        for name, record in frozen(version).items()
        if name.startswith("media ")
    }
    image, text, audio = found["media image"], found["media text"], found["media audio"]
    assert (image.stream, image.source, image.id, image.time_ms) == ("lobby", "urn:camera:7", "frame-1", 1772366400250)
    assert (image.lane, image.duration_ms, image.language, image.tracestate) == ("left", 40, "en", "a=b")
    assert (text.lane, text.time_ms, text.content_type) == ("text", 1772366400260, "text/plain; charset=utf-8")
    assert (audio.stream, audio.duration_ms, audio.content_type) == ("大厅", 500, "audio/wav")
    assert frozen(version)["media text"].value == b"hello, \xe4\xb8\x96\xe7\x95\x8c"


@pytest.mark.parametrize("name", LOG)
def test_a_reader_of_the_first_version_reads_todays_log(name: str) -> None:
    """By position: what is new stands behind what it knows."""
    assert within(read_entry(samples()[name].value), LOG[name])


@pytest.mark.parametrize("name", RESULTS)
def test_a_reader_of_the_first_version_reads_todays_results(name: str) -> None:
    """With nothing but the plain msgpack package."""
    assert within(msgpack.unpackb(samples()[name].value), RESULTS[name])


def test_every_record_but_the_log_says_its_type_and_version() -> None:
    """The log has a version of its own, in its own header."""
    for name, record in samples().items():
        headers = dict(record.headers)
        assert headers.get("ce_type") == TYPES.get(name)
        assert (headers.get(HEADER) is None) == (name in TYPES)


def _letter(record: OutgoingRecord) -> Any:
    return decode_dead_letter(record.key, record.value, record.headers)
