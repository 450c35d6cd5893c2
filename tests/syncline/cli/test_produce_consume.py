"""`syncline produce` and `syncline consume`, as a person or a program runs them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from syncline.cli.consume import app as consume_app
from syncline.cli.produce import app as produce_app
from syncline.errors import BrokerError, SettingsError
from syncline.wire.converted import encode_converted
from syncline.wire.events import parse_headers
from syncline.wire.results import encode_fused
from tests.support.brokers import TestBroker
from tests.support.contract import example_converted, example_fused
from tests.support.topics import make_topics, read_records, write_records

LINES = [
    {"stream": "lobby", "modality": "text", "time_ms": 1_000, "text": "你好", "language": "zh", "id": "1"},
    {"stream": "lobby", "modality": "image", "time_ms": 1_010, "path": "a.png", "lane": "left", "id": "2"},
]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest of one text and one picture."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in LINES), encoding="utf-8")
    return path


def at(broker: TestBroker, prefix: str) -> list[str]:
    return ["--brokers", broker.address, "--topic-prefix", prefix]


def test_produce_sends_every_line(broker: TestBroker, topic_prefix: str, manifest: Path) -> None:
    """Each line is an event on its topic, and the summary counts them."""
    asyncio.run(make_topics(broker.address, topic_prefix))
    ran = CliRunner().invoke(produce_app, [str(manifest), "--rate", "0", "--json", *at(broker, topic_prefix)])
    assert ran.exit_code == 0, ran.output
    summary = json.loads(ran.stdout)
    assert (summary["sent"], summary["delivered"], summary["failed"], summary["bytes"]) == (2, 2, 0, 14)
    (record,) = asyncio.run(read_records(broker.address, f"{topic_prefix}media.text", 1))
    event = parse_headers("media.text", record.key, record.headers, 0)
    assert (event.stream, event.id, event.time_ms, event.language) == ("lobby", "1", 1_000, "zh")
    assert record.value.decode() == "你好"


def test_produce_sends_in_transactions_where_the_broker_has_them(
    broker: TestBroker, topic_prefix: str, manifest: Path
) -> None:
    """Elsewhere the flag is named, and nothing is sent."""
    asyncio.run(make_topics(broker.address, topic_prefix))
    flags = ["--rate", "0", "--json", "--transactional-id", "cam", *at(broker, topic_prefix)]
    ran = CliRunner().invoke(produce_app, [str(manifest), *flags])
    if broker.kind == "tansu":
        assert isinstance(ran.exception, SettingsError)
        assert "transactional_id: got 'cam'" in str(ran.exception)
    else:
        assert ran.exit_code == 0, ran.output
        assert json.loads(ran.stdout)["delivered"] == 2
        asyncio.run(read_records(broker.address, f"{topic_prefix}media.text", 1))


def test_produce_says_for_people_what_it_did(broker: TestBroker, topic_prefix: str, manifest: Path) -> None:
    """Without --json the summary is a sentence, and a pipe gets no progress bar."""
    asyncio.run(make_topics(broker.address, topic_prefix))
    ran = CliRunner().invoke(produce_app, [str(manifest), "--rate", "0", *at(broker, topic_prefix)])
    assert ran.stdout.startswith("2 of 2 events on the broker in ")
    assert "\x1b" not in ran.output


def test_produce_sends_nothing_when_a_line_is_wrong(manifest: Path, unused_tcp_port: int) -> None:
    """The manifest is read before the broker is even asked."""
    manifest.write_text(json.dumps(LINES[0]) + "\n{}", encoding="utf-8")
    ran = CliRunner().invoke(produce_app, [str(manifest), "--brokers", f"127.0.0.1:{unused_tcp_port}"])
    assert isinstance(ran.exception, SettingsError)
    assert f"{manifest}:2" in str(ran.exception)


def test_produce_without_a_broker_is_a_clear_error(manifest: Path, unused_tcp_port: int) -> None:
    """The address is named."""
    ran = CliRunner().invoke(produce_app, [str(manifest), "--brokers", f"127.0.0.1:{unused_tcp_port}"])
    assert isinstance(ran.exception, BrokerError)
    assert str(unused_tcp_port) in str(ran.exception)


@pytest.mark.parametrize("rate", ["-1", "nan", "inf"])
def test_produce_refuses_rates_that_are_none(manifest: Path, rate: str) -> None:
    """A rate is a number from 0."""
    ran = CliRunner().invoke(produce_app, [str(manifest), f"--rate={rate}"])
    assert isinstance(ran.exception, SettingsError)


def test_consume_prints_one_json_object_a_result(broker: TestBroker, topic_prefix: str) -> None:
    """A program reads place and result from each line; repeats are dropped."""
    asyncio.run(make_topics(broker.address, topic_prefix))
    records = [encode_fused(example_fused("a")), encode_fused(example_fused("a")), encode_fused(example_fused("b"))]
    asyncio.run(write_records(broker.address, topic_prefix, records))
    ran = CliRunner().invoke(consume_app, ["--json", "--max", "2", *at(broker, topic_prefix)])
    assert ran.exit_code == 0, ran.output
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(line["topic"], line["offset"], line["result"]["id"]) for line in found] == [
        ("results.fused", 0, "a"),
        ("results.fused", 2, "b"),
    ]
    assert found[0]["result"]["members"][0]["event_id"] == "e1"
    assert "2 results, 1 repeats dropped" in ran.stderr


def test_consume_ends_when_nothing_comes(broker: TestBroker, topic_prefix: str) -> None:
    """--until-idle ends after so many seconds without a result, with lines for people."""
    asyncio.run(make_topics(broker.address, topic_prefix))
    records = [encode_fused(example_fused()), encode_converted(example_converted())]
    asyncio.run(write_records(broker.address, topic_prefix, records))
    ran = CliRunner().invoke(
        consume_app, ["results.fused", "converted.text", "--until-idle", "1", *at(broker, topic_prefix)]
    )
    assert ran.exit_code == 0, ran.output
    assert sorted(ran.stdout.splitlines()) == [
        "00:00:01.000  lobby  image caption  0.50  a cat",
        "00:00:01.000  lobby  partial (timeout)  image+text -audio  cat 0.75, dog 0.25",
    ]


@pytest.mark.parametrize("arguments", [["--max", "-1"], ["--until-idle", "nan"], ["decisions"]])
def test_consume_names_wrong_arguments(arguments: list[str]) -> None:
    """Wrong arguments are errors before any broker is asked."""
    assert isinstance(CliRunner().invoke(consume_app, arguments).exception, SettingsError)


@pytest.mark.parametrize("app", [produce_app, consume_app])
def test_help_says_units_and_defaults(app: object) -> None:
    """Every option's help is there, with its default."""
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout  # type: ignore[arg-type]
    assert "SYNCLINE_BROKERS" in text
    assert "localhost:9092" in text
