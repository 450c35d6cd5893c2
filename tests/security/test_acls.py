"""The rights that docs/security.md lists: with exactly these everything works, and one that is missing is named."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import get_args

import pytest

from syncline.consumer import ResultConsumer
from syncline.errors import MissingRightError, TopicError
from syncline.kafka.authorization import Need, Role, commands, needs_of
from syncline.kafka.cluster import Cluster
from syncline.kafka.topics import DEFAULT_MAX_MESSAGE_BYTES, read_limit
from syncline.producer import MediaProducer
from syncline.wire.contract import FUSED, MEDIA_TOPICS
from syncline.wire.results import FusedResult
from tests.support.command_line import as_flags, run_command_beside
from tests.support.kafka_acls import run_acl_lines
from tests.support.secured_kafka import SecuredKafka
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

LIMIT_S = 90.0
MAX_EVENT_BYTES = 1_000


async def allow(kafka: SecuredKafka, prefix: str, role: Role, needs: Sequence[Need], group: str = "") -> None:
    """Allow a role's user what is needed, on topics of this test."""
    group = group or prefix + "workers"
    await run_acl_lines(
        kafka, *commands(needs, user=role, prefix=prefix, group=group, brokers=kafka.address_of("SASL"))
    )


def without(role: Role, operation: str, topic: str) -> list[Need]:
    """What a role needs but one operation on one topic; on the group where there is no topic."""
    needs = [
        need._replace(topics=tuple(name for name in need.topics if name != topic))
        if (need.operation, bool(topic)) == (operation, bool(need.topics))
        else need
        for need in needs_of(role)
    ]
    left = [need for need in needs if need.topics or need.resource == "group"]
    return [need for need in left if topic or need.resource != "group"]


async def test_with_exactly_these_rights_everything_works(secured_kafka: SecuredKafka, topic_prefix: str) -> None:
    """The operator makes topics and checks them, media, sets, results to a group, the operator's account of it all."""
    address = secured_kafka.address_of("SASL")
    for role in get_args(Role):
        group = topic_prefix + "readers" if role == "consumer" else ""
        await allow(secured_kafka, topic_prefix, role, needs_of(role), group)
    place = ["--brokers", address, "--topic-prefix", topic_prefix]
    operator = as_flags(secured_kafka.settings("SASL", "operator"))
    for command in (["topics", "create", "--partitions", "2"], ["topics", "check"]):
        ran = await run_command_beside(*command, *place, *operator)
        assert ran.code == 0, ran.err

    worker = WorkerProcess(
        secured_kafka, topic_prefix, brokers=address, lanes="text", max_event_bytes=MAX_EVENT_BYTES,
        **secured_kafka.settings("SASL", "worker"),
    )  # fmt: skip
    producing = MediaProducer(address, topic_prefix=topic_prefix, security=secured_kafka.security("SASL", "producer"))
    consuming = ResultConsumer(
        address, topic_prefix=topic_prefix, group_id=topic_prefix + "readers",
        security=secured_kafka.security("SASL", "consumer"),
    )  # fmt: skip
    async with worker, producing as producer, consuming as results:
        await worker.until_ready()
        for number in range(10):
            await producer.send("lobby", "text", text=f"moment {number}", time_ms=1_000_000 + number * 1_000)
        sent = await producer.send("lobby", "text", text="x" * (MAX_EVENT_BYTES + 1), time_ms=1_020_000)
        for _ in range(10):
            received = await results.receive(LIMIT_S)
            assert received is not None, worker.log()[-3_000:]
            assert isinstance(received.result, FusedResult)
        assert (await worker.terminate())[0] == 0
        assert [line for line in worker.log().splitlines() if "AuthorizationFailed" in line] == []
        assert "no idempotent producer" not in worker.log()  # since Kafka 3.0 `Write` is enough
    group = ["--group", topic_prefix + "workers"]
    for command in (
        ["verify", "--finished", "--lanes", "text", "--max-event-bytes", str(MAX_EVENT_BYTES), *group],
        ["explain", "media.text", str(sent.partition), "0", *group],
        ["deadletter", "list"],
        ["deadletter", "show", str(sent.partition), "0"],
        ["topics", "grow", "--partitions", "3", *group],
        ["deadletter", "retry", "--yes"],
    ):
        ran = await run_command_beside(*command, *place, *operator)
        assert ran.code == 0, ran.out + ran.err


@pytest.mark.parametrize(
    ("operation", "topic"),
    [("Read", "media.text"), ("Read", "decisions"), ("Write", "decisions"), ("Write", "deadletter"), ("Read", "")],
    ids=["read media", "read decisions", "write decisions", "write dead letters", "read the group"],
)
async def test_a_worker_names_the_right_that_it_lacks_and_the_line_that_gives_it(
    secured_kafka: SecuredKafka, topic_prefix: str, operation: str, topic: str
) -> None:
    """It waits, says so on /readyz too, and goes on once the very line has been run."""
    await make_topics(secured_kafka.address, topic_prefix, 1)
    await allow(secured_kafka, topic_prefix, "worker", without("worker", operation, topic))
    what = f"topic {topic_prefix}{topic}" if topic else f"group {topic_prefix}workers"
    settings = secured_kafka.settings("SASL", "worker")
    async with WorkerProcess(
        secured_kafka, topic_prefix, brokers=secured_kafka.address_of("SASL"), **settings
    ) as worker:
        async with asyncio.timeout(LIMIT_S):
            while "waiting: " not in worker.log():
                assert worker.running, worker.log()
                await asyncio.sleep(0.05)
        (line,) = [line for line in worker.log().splitlines() if " INFO " not in line]
        found = re.search(r"user 'worker' lacks (.*); allow it with: (.*)$", line)
        assert found is not None, line
        assert found[1] == f"{operation} on {what}"
        assert any(found[1] in reason for reason in (await worker.ask("/readyz"))[1]["reasons"])
        await run_acl_lines(secured_kafka, found[2])
        await worker.until_ready()


@pytest.mark.parametrize("role", ["producer", "consumer"])
@pytest.mark.parametrize("lacks", ["one topic", "all"])
async def test_a_client_that_lacks_a_right_says_which(
    secured_kafka: SecuredKafka, topic_prefix: str, role: Role, lacks: str
) -> None:
    """When it is entered, not at its first record; a topic that it may not see is not taken for missing."""
    await make_topics(secured_kafka.address, topic_prefix, 1)
    (operation, topic) = ("Write", MEDIA_TOPICS[1]) if role == "producer" else ("Read", FUSED)
    await allow(secured_kafka, topic_prefix, role, without(role, operation, topic) if lacks == "one topic" else [])
    security, address = secured_kafka.security("SASL", role), secured_kafka.address_of("SASL")
    client = (
        MediaProducer(address, topic_prefix=topic_prefix, security=security)
        if role == "producer"
        else ResultConsumer(address, topic_prefix=topic_prefix, security=security)
    )
    with pytest.raises(MissingRightError, match=f"user '{role}' lacks {operation} on topic ") as caught:
        async with client:
            pass
    assert topic_prefix + topic in str(caught.value)
    assert ("media.audio" in str(caught.value)) == (role == "producer" and lacks == "all")


async def test_a_producer_that_may_not_send_in_transactions_says_so(
    secured_kafka: SecuredKafka, topic_prefix: str
) -> None:
    """With the line that allows it for its own name alone; once that has been run, it sends."""
    await make_topics(secured_kafka.address, topic_prefix, 1)
    await allow(secured_kafka, topic_prefix, "producer", needs_of("producer"))
    producer = MediaProducer(
        secured_kafka.address_of("SASL"),
        topic_prefix=topic_prefix,
        security=secured_kafka.security("SASL", "producer"),
        transactional_id=topic_prefix + "cam",
    )
    with pytest.raises(
        MissingRightError, match=f"lacks Write on transactional-id {topic_prefix}cam; allow it with: "
    ) as caught:
        await producer.__aenter__()
    await run_acl_lines(secured_kafka, str(caught.value).partition("allow it with: ")[2])
    async with producer, producer.transaction():
        await producer.send("lobby", "text", text="a moment", time_ms=1_000)
    assert producer.progress.n_delivered == 1


async def test_a_topic_that_does_not_exist_is_not_a_right_that_is_missing(
    secured_kafka: SecuredKafka, topic_prefix: str
) -> None:
    """Whoever may see all topics is told that there is none."""
    address = secured_kafka.address_of("SASL")
    with pytest.raises(TopicError, match=f"has no topic {topic_prefix}"):
        async with MediaProducer(address, topic_prefix=topic_prefix, security=secured_kafka.security("SASL")):
            pass


async def test_a_limit_that_a_worker_may_not_ask_for_is_not_known(
    secured_kafka: SecuredKafka, topic_prefix: str
) -> None:
    """It needs no right to ask: what depends on the limit is decided without."""
    address = secured_kafka.address_of("SASL")
    await make_topics(secured_kafka.address, topic_prefix, 1)
    for role in ("worker", "operator"):
        await allow(secured_kafka, topic_prefix, role, needs_of(role))
    found = {
        role: await read_limit(Cluster.of(address, secured_kafka.security("SASL", role)), topic_prefix + FUSED)
        for role in ("worker", "operator")
    }
    assert found == {"worker": None, "operator": DEFAULT_MAX_MESSAGE_BYTES}
