"""One transaction of a `MediaProducer`: all of its sends are committed together, or none of them.

A send is on the broker long before it is known whether it counts: how it ended is noted here, and told when the
transaction has ended.

    begin --> send ... send --> all taken? --> commit --> each is told as it ended
                                    |  no, or an exception
                                    +--------> abort  --> each has failed
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError, ProducerFenced

from syncline.errors import AbortedError, BrokerError, FencedError
from syncline.kafka.client import broker_error, cannot_go_on
from syncline.kafka.cluster import Cluster
from syncline.wire.events import MediaEvent

TRANSACTION_TIMEOUT_MS = 60_000
"""aiokafka's and Kafka's default."""


class Sent(NamedTuple):
    """How a send ended: with an error, or with aiokafka's answer in `metadata`."""

    event: MediaEvent
    n_bytes: int
    error: BaseException | None
    metadata: Any = None


class Transaction:
    """One transaction, from its begin to its end; `on_end` is told of each of its sends when it has ended."""

    def __init__(
        self, client: Any, cluster: Cluster, name: str, timeout_ms: int, on_end: Callable[[Sent], None]
    ) -> None:
        self._client, self._cluster, self._name, self._timeout_ms, self._on_end = (
            client, cluster, name, timeout_ms, on_end,
        )  # fmt: skip
        self._waiting: set[asyncio.Future[Any]] = set()
        self._sent: list[Sent] = []
        self._began_s = time.monotonic()
        self.is_broken = False
        """aiokafka's producer cannot be used for another one."""

    def add(self, answer: asyncio.Future[Any]) -> None:
        """Something was handed to the client; `note` says how it ended, when `answer` is done."""
        self._waiting.add(answer)

    def note(self, sent: Sent) -> None:
        """A send has ended, for now."""
        self._sent.append(sent)

    async def commit(self) -> None:
        """End it; raises `AbortedError` where not every send was taken, so that none counts."""
        if self._waiting:
            await asyncio.wait(self._waiting)
        refused = next((sent.error for sent in self._sent if sent.error is not None), None)
        if refused is not None:
            await self.abort()
            raise self.error_of(refused) from refused
        try:
            await self._client.commit_transaction()
        except BaseException as error:
            self.is_broken = True
            ours = self._error_of_commit(error)
            for sent in self._sent:
                self._on_end(sent._replace(error=ours or error))
            if ours is not None:
                raise ours from error
            raise
        for sent in self._sent:
            self._on_end(sent)

    async def abort(self) -> None:
        """End it so that nothing of it counts. Where the broker cannot be told, it finds out by the timeout."""
        try:
            if cannot_go_on(self._client):
                self.is_broken = True
            else:
                await self._client.abort_transaction()
        except KafkaError:
            self.is_broken = True
        except BaseException:
            self.is_broken = True
            raise
        finally:
            # What was refused has left a gap in the numbers of this client.
            self.is_broken |= any(sent.error is not None for sent in self._sent)
            for sent in self._sent:
                self._on_end(sent._replace(error=AbortedError(f"broker {self._cluster}: its transaction was aborted")))

    def error_of(self, refused: BaseException) -> BrokerError:
        """Why a send of it was not taken, as ours: another producer of this name, the timeout, or what was refused."""
        if isinstance(refused, ProducerFenced):
            return self._timed_out or FencedError(f"{self._said_of_another}; its transaction was aborted")
        ours = broker_error(self._cluster, refused)
        return AbortedError(f"{ours}; nothing of its transaction counts", may_retry=ours.may_retry)

    def _error_of_commit(self, error: BaseException) -> BrokerError | None:
        """What is known where the word to commit got no good answer; None for what is no error of Kafka's."""
        if isinstance(error, ProducerFenced):
            # The other one aborts what it finds open: unless the word had come before, and its answer was lost.
            return self._timed_out or FencedError(
                f"{self._said_of_another}; its transaction was aborted, if it was open"
            )
        return broker_error(self._cluster, error) if isinstance(error, KafkaError) else None

    @property
    def _timed_out(self) -> AbortedError | None:
        # Kafka says the same of both: an epoch that is over.
        if (time.monotonic() - self._began_s) * 1_000 < self._timeout_ms:
            return None
        why = f"the transaction was open for longer than transaction_timeout_ms={self._timeout_ms}, and was aborted"
        return AbortedError(f"{self._where}: {why}")

    @property
    def _said_of_another(self) -> str:
        return (
            f"{self._where}: another producer with this name has begun, so this one can send nothing more (give each "
            "producer that runs at the same time a name of its own)"
        )

    @property
    def _where(self) -> str:
        return f"broker {self._cluster}: transactional_id {self._name!r}"
