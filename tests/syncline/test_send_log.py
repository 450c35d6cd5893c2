"""The log of sends: what is written is read back, and what is known of a send that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError, RequestTimedOutError

from syncline.errors import BrokerError, SettingsError
from syncline.producer import MediaProducer
from syncline.send_log import Send, SendLog, outcome_of, read_send_log
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics

OK = Send(id="1", source="urn:s", stream="a", lane="text", topic="media.text", outcome="ok", partition=2, offset=7)
UNKNOWN = Send(id="2", source="urn:s", stream="a", lane="text", topic="media.text", outcome="unknown", error="lost")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """A second log on the same file goes on where the first ended."""
    for send in (OK, UNKNOWN):
        with SendLog(tmp_path / "sends") as log:
            log.write(send)
    assert read_send_log(tmp_path / "sends") == [OK, UNKNOWN]


def test_the_rest_of_a_killed_producer_is_passed_over(tmp_path: Path) -> None:
    """A last line without an end is one that nobody finished."""
    path = tmp_path / "sends"
    with SendLog(path) as log:
        log.write(OK)
    path.write_bytes(path.read_bytes() + b'{"id":"3","sou')
    assert read_send_log(path) == [OK]


@pytest.mark.parametrize("line", [b"hello\n", b'{"id":"3"}\n', b"\xff\n", b'{"id":"3","outcome":"maybe"}\n'])
def test_a_line_that_is_none_is_named(tmp_path: Path, line: bytes) -> None:
    """A wrong line is an error of the user's, with its number."""
    (tmp_path / "sends").write_bytes(line)
    with pytest.raises(SettingsError, match="line 1"):
        read_send_log(tmp_path / "sends")


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Neither a folder that is not there nor a folder is a send log."""
    with pytest.raises(SettingsError, match="send log"):
        SendLog(tmp_path / "none" / "sends")
    with pytest.raises(SettingsError, match="send log"):
        read_send_log(tmp_path)


def test_only_a_refusal_is_a_failure() -> None:
    """After a time-out or a broken connection the record may be there."""
    assert outcome_of(MessageSizeTooLargeError()) == "failed"
    for error in (KafkaTimeoutError(), RequestTimedOutError(), KafkaConnectionError(), TimeoutError()):
        assert outcome_of(error) == "unknown"


async def test_a_producer_writes_every_send(own_broker: TestBroker, topic_prefix: str, tmp_path: Path) -> None:
    """One line a send: where the broker put it, or that nobody knows."""
    if own_broker.kind != "tansu":
        pytest.skip("an idempotent producer never gives up: it waits for the broker to come back")
    await make_topics(own_broker.address, topic_prefix)
    with SendLog(tmp_path / "sends") as log:
        options = {"request_timeout_ms": 500}
        producer = MediaProducer(own_broker.address, topic_prefix=topic_prefix, send_log=log, kafka_options=options)
        async with producer:
            delivery = await producer.send("a", "text", text="hello", time_ms=1_700_000_000_000, id="one")
            await own_broker.stop()
            with pytest.raises(BrokerError):
                await producer.send("a", "text", text="x", time_ms=1_700_000_000_001, id="two")
    one, two = read_send_log(tmp_path / "sends")
    assert (one.id, one.outcome, one.topic) == ("one", "ok", "media.text")
    assert (one.partition, one.offset) == (delivery.partition, delivery.offset)
    assert (two.id, two.outcome, two.offset) == ("two", "unknown", -1)
    assert two.error
