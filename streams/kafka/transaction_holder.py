"""Asks the brokers whose transaction is open in a topic partition.

aiokafka lacks these two requests; here they are in version 0, which every broker since Kafka 3.0 takes.
"""

# pyright: reportUnknownVariableType=false, reportIncompatibleMethodOverride=false, reportAssignmentType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields
from aiokafka.structs import TopicPartition

_TAGS = ("tags", TaggedFields)
_NAME = CompactString("utf-8")


class _ProducersResponse(Response):
    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", _NAME),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32), ("error_code", Int16), ("error_message", _NAME),
                        (
                            "producers",
                            CompactArray(
                                ("producer_id", Int64), ("producer_epoch", Int32), ("last_sequence", Int32),
                                ("last_timestamp", Int64), ("coordinator_epoch", Int32), ("start_offset", Int64), _TAGS,
                            ),
                        ),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )  # fmt: skip


class _ProducersStruct(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 61
    API_VERSION = 0
    RESPONSE_TYPE = _ProducersResponse
    SCHEMA = Schema(("topics", CompactArray(("name", _NAME), ("partitions", CompactArray(Int32)), _TAGS)), _TAGS)


class _Producers(Request[_ProducersStruct]):
    """DescribeProducers."""

    API_KEY = 61

    def __init__(self, tp: TopicPartition) -> None:
        self._tp = tp

    def build(self, request_struct_class: type[_ProducersStruct]) -> _ProducersStruct:
        return request_struct_class([(self._tp.topic, [self._tp.partition], {})], {})


class _TransactionsResponse(Response):
    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_states", CompactArray(_NAME)),
        (
            "transactions",
            CompactArray(("transactional_id", _NAME), ("producer_id", Int64), ("state", _NAME), _TAGS),
        ),
        _TAGS,
    )


class _TransactionsStruct(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 66
    API_VERSION = 0
    RESPONSE_TYPE = _TransactionsResponse
    SCHEMA = Schema(("states", CompactArray(_NAME)), ("producer_ids", CompactArray(Int64)), _TAGS)


class _Transactions(Request[_TransactionsStruct]):
    """ListTransactions, of one producer."""

    API_KEY = 66

    def __init__(self, producer_id: int) -> None:
        self._producer_id = producer_id

    def build(self, request_struct_class: type[_TransactionsStruct]) -> _TransactionsStruct:
        return request_struct_class([], [self._producer_id], {})


async def find_holder(client: Any, tp: TopicPartition, start_offset: int) -> str | None:
    """Describe who has the transaction that begins at `start_offset`; "" if it is unknown, None without an answer.

    client: an aiokafka client that knows the partition's leader. The transactional id needs the right to describe it.
    """
    try:
        leader = client.cluster.leader_for_partition(tp)
        answer = await client.send(leader, _Producers(tp))
        ((_, ((_, _, _, producers, _),), _),) = answer.topics
        ids = [producer[0] for producer in producers or () if producer[5] == start_offset]
        if not ids:
            return ""
        for broker in client.cluster.brokers():
            listed = await client.send(broker.nodeId, _Transactions(ids[0]))
            for name, producer_id, _, _ in listed.transactions or ():
                if producer_id == ids[0]:
                    return f"transactional_id {name!r}, producer {producer_id}"
    except (IncompatibleBrokerVersion, NotImplementedError):  # it knows no such question
        return ""
    except (KafkaError, ValueError):  # no leader now, or an answer that is none
        return None
    return f"producer {ids[0]}"
