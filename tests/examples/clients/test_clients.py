"""The clients of examples/clients/, run as somebody runs them who does not have Syncline's library."""

from __future__ import annotations

import ast
import re
import struct
import sys

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from syncline.wire.arrays import DTYPES, Array
from syncline.wire.contract import FUSED
from syncline.wire.deadletters import encode_unfused
from syncline.wire.placement import partition_for
from syncline.wire.results import OutgoingRecord, encode_fused
from tests.support.brokers import TestBroker
from tests.support.contract import example_fused, example_unfused
from tests.support.letters import dead_record
from tests.support.plain_clients import CLIENTS, KINDS, by_id, place, read_by_syncline, run_client
from tests.support.secured_kafka import SecuredKafka
from tests.support.topics import N_PARTITIONS, make_topics, write_records

LIMIT_S = 90.0

pytestmark = [pytest.mark.parametrize("kind", KINDS), pytest.mark.timeout(180)]


async def test_every_kind_of_result_and_array_is_read_once(kind: str, broker: TestBroker, topic_prefix: str) -> None:
    """As Syncline reads it: all element types, what is cut, unfused events, dead letters; repeats are dropped."""
    await make_topics(broker.address, topic_prefix)
    fused = [
        example_fused("plain", embedding=None, labels=(), model=None),
        example_fused("cut", stream="门厅", embedding=None, cut=("words", "embedding")),
        *(example_fused(dtype, embedding=array_of(dtype)) for dtype in DTYPES),
    ]
    records = [encode_fused(result) for result in (fused[0], *fused)]
    records += [encode_unfused(example_unfused(), []), dead_record(), dead_record(), dead_record(offset=8)]
    await write_records(broker.address, topic_prefix, records)
    n_results = len(fused) + 3
    arguments = ["--count", str(n_results), "--idle-s", str(LIMIT_S), *place(broker, topic_prefix)]
    read = await run_client(kind, "read", *arguments)
    assert (read.code, read.err) == (0, "")
    assert by_id(read.lines) == by_id(await read_by_syncline(broker, topic_prefix, n_results))


def array_of(dtype: str) -> Array:
    """Four elements in two rows, the smallest that are not 0 among them."""
    code = DTYPES[dtype][1]
    values = [0, 1, 100, 7] if code in "Bbhiq" else [0.0, -1.5, 2.0**-24, 1024.0]
    return Array(dtype, (2, 2), memoryview(struct.pack(f"<4{code}", *values)))


async def test_a_newer_version_ends_it_and_is_not_passed_over(kind: str, broker: TestBroker, topic_prefix: str) -> None:
    """Exit code 3, and a member of a group leaves it to whoever can read it."""
    await make_topics(broker.address, topic_prefix)
    known = encode_fused(example_fused("known"))
    newer = renamed(encode_fused(example_fused("newer")), b"syncline.results.fused.v2")
    await write_records(broker.address, topic_prefix, [known, newer])
    read = await run_client(kind, "read", "--group", topic_prefix + "g", *place(broker, topic_prefix))
    assert read.code == 3, read.err
    assert "syncline.results.fused.v2" in read.err
    partition = TopicPartition(topic_prefix + FUSED, partition_for(known.key or b"", N_PARTITIONS))
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, group_id=topic_prefix + "g") as plain:
        plain.assign([partition])
        assert (await plain.committed(partition) or 0) < 2


def renamed(record: OutgoingRecord, event_type: bytes) -> OutgoingRecord:
    """The record under another `ce_type`."""
    headers = [(name, event_type if name == "ce_type" else value) for name, value in record.headers]
    return record._replace(headers=headers)


async def test_a_result_that_cannot_be_read_costs_nobody_else(kind: str, broker: TestBroker, topic_prefix: str) -> None:
    """It is named, with its place, and the next ones come."""
    await make_topics(broker.address, topic_prefix)
    good = encode_fused(example_fused("good"))
    misfit = example_fused("misfit", embedding=Array("<f4", (3,), memoryview(b"12345678")))
    records = [good._replace(value=b"\xc1"), encode_fused(misfit), good]
    await write_records(broker.address, topic_prefix, records)
    read = await run_client(kind, "read", "--count", "1", "--idle-s", str(LIMIT_S), *place(broker, topic_prefix))
    assert read.code == 0, read.err
    assert [line["id"] for line in read.lines] == ["good"]
    assert read.err.count("cannot be read") == 2


async def test_a_group_goes_on_where_it_was(kind: str, broker: TestBroker, topic_prefix: str) -> None:
    """What was printed is not printed again, what was not is."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, [encode_fused(example_fused(str(n))) for n in range(3)])
    arguments = ["--group", topic_prefix + "g", "--idle-s", str(LIMIT_S), *place(broker, topic_prefix)]
    first = await run_client(kind, "read", "--count", "2", *arguments)
    second = await run_client(kind, "read", "--count", "1", *arguments)
    assert [line["id"] for line in (*first.lines, *second.lines)] == ["0", "1", "2"], first.err + second.err


async def test_fewer_than_were_asked_for_is_said(kind: str, broker: TestBroker, topic_prefix: str) -> None:
    """Exit code 4 once nothing has come for --idle-s."""
    await make_topics(broker.address, topic_prefix)
    read = await run_client(kind, "read", "--count", "1", "--idle-s", "0.5", *place(broker, topic_prefix))
    assert (read.code, read.lines) == (4, [])
    assert "0 of 1" in read.err


async def test_topics_that_are_missing_are_named_and_not_made(kind: str, broker: TestBroker, topic_prefix: str) -> None:
    """Neither to read nor to send."""
    for command in (["read"], ["send", "lobby", "--text", "hello"]):
        ran = await run_client(kind, *command, *place(broker, topic_prefix))
        assert (ran.code, ran.lines) == (1, [])
        assert "no topic " + topic_prefix in ran.err
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        assert [name for name in await admin.list_topics() if name.startswith(topic_prefix)] == []
    finally:
        await admin.close()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["read"], 1, "127.0.0.1"),
        (["send", "lobby", "--text", "x"], 1, "127.0.0.1"),
        (["send", "lobby"], 2, "--image"),
        (["send", "lobby", "--image", "door.bmp"], 2, ".png"),
        (["send", "lobby", "--image", "nowhere.png"], 1, "nowhere.png"),
        (["paint"], 2, "usage"),
        (["read", "--count", "some"], 2, "--count"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_what_is_wrong_is_said_in_a_few_lines(
    kind: str, unused_tcp_port: int, arguments: list[str], code: int, says: str
) -> None:
    """An exit code and a message, never a traceback."""
    ran = await run_client(kind, *arguments, "--brokers", f"127.0.0.1:{unused_tcp_port}")
    assert (ran.code, ran.lines) == (code, [])
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert "    at " not in ran.err


@pytest.mark.apache
async def test_it_gets_in_with_tls_and_a_password(kind: str, secured_kafka: SecuredKafka, topic_prefix: str) -> None:
    """The authority's file and a password are enough; without the password it is told so."""
    await make_topics(secured_kafka.address, topic_prefix)
    door = ["--brokers", secured_kafka.address_of("SASL"), "--prefix", topic_prefix]
    door += ["--tls", "--ca", str(secured_kafka.authority.file), "--user", "root"]
    environment = {"KAFKA_PASSWORD": secured_kafka.passwords["root"]}
    sent = await run_client(kind, "send", "lobby", "--text", "hello", *door, environment=environment)
    assert sent.code == 0, sent.err
    await write_records(secured_kafka.address, topic_prefix, [encode_fused(example_fused("one"))])
    read = await run_client(kind, "read", "--count", "1", *door, environment=environment)
    assert [line["id"] for line in read.lines] == ["one"], read.err
    refused = await run_client(kind, "send", "lobby", "--text", "hello", *door, environment={"KAFKA_PASSWORD": "?"})
    assert refused.code == 1
    assert refused.err.startswith("client: ")


def test_it_stands_alone(kind: str) -> None:
    """It imports its Kafka client, MessagePack and what comes with the language, and nothing of Syncline."""
    if kind == "node":
        script = (CLIENTS / "node" / "client.js").read_text(encoding="utf-8")
        found = {name for name in re.findall(r"from '([^']+)'", script) if not name.startswith("node:")}
        package = msgspec.json.decode((CLIENTS / "node" / "package.json").read_bytes())
        assert found == set(package["dependencies"]) == {"@msgpack/msgpack", "@platformatic/kafka"}
        return
    tree = ast.parse((CLIENTS / "python" / "client.py").read_text(encoding="utf-8"))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in found} - sys.stdlib_module_names == {"aiokafka", "msgpack"}
