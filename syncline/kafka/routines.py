"""Finds and restarts aiokafka's background tasks that have ended.

A consumer fetches, a producer sends, and both look for leaders, in tasks that nobody awaits. A task that ends by an
unexpected error ends silently: readers wait for ever. With uvloop a connection that was just reset raises such an error
(`the handler is closed`, a RuntimeError, where asyncio raises nothing); `steady` turns it into a connection error.
`revive` restarts tasks that end anyway: records fetched but not delivered are fetched again, and the place in the group
stays. The private parts of aiokafka used for this are all here, pinned by tests/syncline/kafka/test_routines.py.
"""

# ruff: noqa: SLF001 - private parts are aiokafka's

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from copy import copy
from typing import Any, TypeVar

import aiokafka
from aiokafka.conn import CloseReason
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import KafkaConnectionError, KafkaError, RebalanceInProgressError
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.group import JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest, SyncGroupResponse_v0

from syncline.errors import SynclineError

log = logging.getLogger(__name__)
T = TypeVar("T")
LED_STATE = "Unknown"
"""The embedded broker's state of a group that is forming and has a leader. Apache Kafka has no such state."""
LOOK_EVERY_S = 1.0
"""How often waiting callers check for an ended routine, s."""


class RoutineEndedError(KafkaError):
    """A background task of a client has ended: the client must be restarted."""


def require_parts(owner: Any, *names: str) -> None:
    """Check that one of aiokafka's objects has the private parts that are set or replaced here.

    A missing part that is only read raises by itself; setting one that is no longer read would silently do nothing.
    Raises `SynclineError` with aiokafka's version.
    """
    gone = [f"{type(owner).__name__}.{name}" for name in names if not hasattr(owner, name)]
    if gone:
        raise SynclineError(
            f"aiokafka {aiokafka.__version__} has no {', '.join(gone)}, on which Syncline relies: install the "
            "version of aiokafka that Syncline's requirements name"
        )


def steady(owner: Any) -> Any:
    """Make a just lost connection raise a connection error in this client, whatever its event loop raises.

    owner: an aiokafka consumer, producer or bare client, not yet started; it is returned.
    """
    client = client_of(owner)
    get_conn, send = client._get_conn, client.send

    async def sound_conn(node_id: Any, **options: Any) -> Any:
        conn = await get_conn(node_id, **options)
        return await get_conn(node_id, **options) if conn is not None and _close_if_lost(conn) else conn

    async def sound_send(node_id: Any, request: Any, **options: Any) -> Any:
        try:
            return await send(node_id, request, **options)
        except KafkaError:  # also a RuntimeError, but already a connection error
            raise
        except RuntimeError as error:
            raise KafkaConnectionError(f"the connection to node {node_id} is lost: {error}") from error

    client._get_conn, client.send = sound_conn, sound_send
    return owner


def client_of(owner: Any) -> Any:
    """Return the client of an aiokafka consumer or producer, a client itself, or None for a stand-in."""
    if hasattr(owner, "_get_conn"):
        return owner
    return owner._client if hasattr(owner, "_client") else getattr(owner, "client", None)


def _close_if_lost(conn: Any) -> bool:
    """Close a connection that is no longer read: its end is unnoticed yet, or its reading task is gone."""
    if conn._writer is None:
        return False  # closed, and the client knows
    reader = conn._read_task
    if not conn._writer.transport.is_closing() and reader is not None and not reader.done():
        return False
    conn.close(reason=CloseReason.CONNECTION_BROKEN)
    return True


def look_after(owner: Any) -> str:
    """Return which routine of a started client has ended, and why; "" while all run.

    Connections that are no longer read are closed: callers that wait for their answers get an error and ask again.
    """
    client = client_of(owner)
    if client is None:
        return ""
    for conn in list(client._conns.values()):
        _close_if_lost(conn)
    return next((f"{name} has ended: {_end_of(task)}" for name, task in _needed(owner, client) if task.done()), "")


def _needed(owner: Any, client: Any) -> Iterator[tuple[str, asyncio.Task[Any]]]:
    """Yield the tasks that must run until the client is stopped, by name."""
    if client._sync_task is not None:
        yield "looking for leaders", client._sync_task
    if hasattr(owner, "_sender"):
        if owner._sender.sender_task is not None:
            yield "sending", owner._sender.sender_task
        return
    if owner._fetcher is not None:
        yield "fetching", owner._fetcher._fetch_task
    coordinator = owner._coordinator
    if hasattr(coordinator, "_reset_committed_task"):
        yield "the assignment", coordinator._reset_committed_task
    elif coordinator is not None:
        yield from _needed_in_a_group(owner, coordinator)


def _needed_in_a_group(owner: Any, coordinator: Any) -> Iterator[tuple[str, asyncio.Task[Any]]]:
    yield "coordination", coordinator._coordination_task
    heartbeat, refresh = coordinator._heartbeat_task, coordinator._commit_refresh_task
    if heartbeat is not None and not coordinator._rejoin_needed_fut.done():
        yield "heartbeats", heartbeat
    subscription = owner._subscription.subscription
    if refresh is not None and subscription is not None:
        assignment = subscription.assignment
        if assignment is not None and assignment.active:
            yield "committed offsets", refresh


def _end_of(task: asyncio.Task[Any]) -> str:
    error = _error_of(task)
    if error is None:
        return "it was cancelled" if task.cancelled() else "it returned"
    return repr(error.__cause__ or error)


def revive(consumer: Any) -> str:
    """Restart the ended background tasks of a started consumer; return what ended, "" if all run.

    Call it on the consumer's event loop, every second or so. Nothing is lost or read twice: positions and the place in
    the group stay, and records fetched but not delivered are fetched again.
    """
    ended = look_after(consumer)
    if not ended:
        return ""
    client, fetcher, coordinator = client_of(consumer), consumer._fetcher, consumer._coordinator
    if client._sync_task.done():
        client._sync_task = asyncio.ensure_future(client._md_synchronizer())
    if fetcher is not None and fetcher._fetch_task.done():
        # The new task awaits its predecessor's pending tasks, and would end by the same error.
        fetcher._pending_tasks -= {
            task for task in fetcher._pending_tasks if task.done() and _error_of(task) is not None
        }
        fetcher._fetch_task = asyncio.ensure_future(fetcher._fetch_requests_routine())
    if hasattr(coordinator, "_reset_committed_task"):
        if coordinator._reset_committed_task.done():
            coordinator._reset_committed_task = asyncio.ensure_future(coordinator._reset_committed_routine())
    elif coordinator is not None:
        _revive_in_a_group(consumer, coordinator)
    return ended


def _revive_in_a_group(consumer: Any, coordinator: Any) -> None:
    ended = {name for name, task in _needed_in_a_group(consumer, coordinator) if task.done()}
    if "heartbeats" in ended:
        coordinator._heartbeat_task = asyncio.ensure_future(coordinator._heartbeat_routine())
    if "committed offsets" in ended:
        coordinator.start_commit_offsets_refresh_task(consumer._subscription.subscription.assignment)
    if "coordination" in ended:
        coordinator._coordination_task = asyncio.ensure_future(coordinator._coordination_routine())
    # The coordination waits until an error of the others has been consumed.
    if coordinator._error_consumed_fut is not None and ended:
        coordinator._error_consumed_fut.set_result(None)
        coordinator._error_consumed_fut = coordinator._pending_exception = None


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    """Return the error of an ended task; None if it was cancelled."""
    return None if task.cancelled() else task.exception()


async def unless_ended(owner: Any, work: Awaitable[T]) -> T:
    """Wait for `work` of a client; raises `RoutineEndedError` if a routine of the client has ended."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=LOOK_EVERY_S))[0]:
            if ended := look_after(owner):
                raise RoutineEndedError(ended)
        return task.result()
    finally:
        task.cancel()


def outlive_leaders(consumer: Any) -> Any:
    """Make a consumer's group choose another leader if the broker keeps one that has left.

    consumer: an aiokafka consumer, not yet started; it is returned. After each join it asks for the group's members, if
    another member leads.
    """
    client = consumer._client
    client.send = _Membership(client.send).send
    return consumer


class _Membership:
    """Sends one consumer's requests to its group's coordinator."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._joined: tuple[Any, str] | None = None
        """Our last granted join request, and the group's leader."""

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, SyncGroupRequest) and await self._leader_has_left(node_id, options):
            return SyncGroupResponse_v0(RebalanceInProgressError.errno, b"")  # join again
        response = await self._send(node_id, request, **options)
        if isinstance(request, JoinGroupRequest):
            self._joined = (request, response.leader_id) if _is_led(response) else None
        return response

    async def _leader_has_left(self, node_id: Any, options: Any) -> bool:
        """Tell whether the leader has left, so that nobody assigns partitions; if so, remove it from the group."""
        if self._joined is None:
            return False
        request, leader = self._joined
        try:
            state, members = await self._describe(node_id, request._group, options)
            if state != LED_STATE or leader in members:
                return False
            log.warning(
                "group %s: the broker keeps a leader that left during a rebalance (a fault of the embedded broker), so "
                "no partition was assigned; another leader is chosen now",
                request._group,
            )
            await self._depose(node_id, leader, request, options)
        except KafkaError as error:
            log.info("group %s: cannot tell whether its leader has left: %r", request._group, error)
            return False
        return True

    async def _describe(self, node_id: Any, group: str, options: Any) -> tuple[str, set[str]]:
        """Return a group's state and the ids of its members."""
        described = (await self._send(node_id, DescribeGroupsRequest([group]), **options)).groups[0]
        return described[2], {member[0] for member in described[5]}

    async def _depose(self, node_id: Any, leader: str, ours: Any, options: Any) -> None:
        """Act as the leader that has left: join, assign nothing, and leave the completed group.

        The broker forgets a leader that leaves such a group. If it cannot assign, since another member has joined, it
        must not leave: it is removed as a dead member when its session expires.
        """
        joined = await self._send(node_id, _join_as(leader, ours), **options)
        if joined.error_code:
            return
        if joined.leader_id == leader:
            # An assignment for the leader, or the broker treats it as still waiting; none for the others, which the
            # broker tells to join again.
            shares = [(member[0], _NO_PARTITIONS if member[0] == leader else b"") for member in joined.members]
            nobody: Any = None  # no instance id, as in aiokafka's own requests
            sync = SyncGroupRequest(ours._group, joined.generation_id, leader, nobody, shares)
            if (await self._send(node_id, sync, **options)).error_code:
                return
        await self._send(node_id, LeaveGroupRequest(ours._group, leader), **options)


_NO_PARTITIONS: bytes = ConsumerProtocol.ASSIGNMENT(0, [], b"").encode()


def _is_led(joined: Any) -> bool:
    """Whether the join succeeded and another member leads."""
    return not joined.error_code and joined.leader_id != joined.member_id


def _join_as(member_id: str, ours: Any) -> Any:
    request = copy(ours)
    request._member_id = member_id
    return request
