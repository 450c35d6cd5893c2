"""One transaction of a `MediaProducer`: its sends are committed together or not at all.

A send is on the broker before it is known whether it counts. Its outcome is kept here and reported when the
transaction ends.

    begin --> send ... send --> all taken? --> commit --> report each outcome
                                    |  no, or an exception
                                    +--------> abort  --> report each as failed
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
    """A send's outcome: an error, or aiokafka's answer in `metadata`."""

    event: MediaEvent
    n_bytes: int
    error: BaseException | None
    metadata: Any = None


class Transaction:
    """One open transaction; calls `on_end` with each of its sends when it ends."""

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
        """aiokafka's producer cannot be used for another transaction."""

    def add(self, answer: asyncio.Future[Any]) -> None:
        """Add a send handed to the client; call `note` when `answer` is done."""
        self._waiting.add(answer)

    def note(self, sent: Sent) -> None:
        """Keep a send's outcome until the transaction ends."""
        self._sent.append(sent)

    async def commit(self) -> None:
        """Commit; if a send failed, abort and raise `AbortedError` or `FencedError`."""
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
        """Abort. A broker that cannot be told aborts by itself at the timeout."""
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
            # A failed send leaves a gap in this client's sequence numbers.
            self.is_broken |= any(sent.error is not None for sent in self._sent)
            for sent in self._sent:
                self._on_end(sent._replace(error=AbortedError(f"broker {self._cluster}: its transaction was aborted")))

    def error_of(self, refused: BaseException) -> BrokerError:
        """Translate a failed send: fenced by another producer, timed out, or aborted by that failure."""
        if isinstance(refused, ProducerFenced):
            return self._timed_out or FencedError(f"{self._said_of_another}; its transaction was aborted")
        ours = broker_error(self._cluster, refused)
        return AbortedError(f"{ours}; nothing of its transaction counts", may_retry=ours.may_retry)

    def _error_of_commit(self, error: BaseException) -> BrokerError | None:
        """Translate a failed commit; None for an error that is not Kafka's."""
        if isinstance(error, ProducerFenced):
            # The other producer aborts an open transaction. Ours may have been committed, with the answer lost.
            return self._timed_out or FencedError(
                f"{self._said_of_another}; its transaction was aborted, if it was open"
            )
        return broker_error(self._cluster, error) if isinstance(error, KafkaError) else None

    @property
    def _timed_out(self) -> AbortedError | None:
        # Kafka gives the same error for a timeout as for fencing.
        if (time.monotonic() - self._began_s) * 1_000 < self._timeout_ms:
            return None
        why = f"the transaction was open for longer than transaction_timeout_ms={self._timeout_ms}, and was aborted"
        return AbortedError(f"{self._where}: {why}")

    @property
    def _said_of_another(self) -> str:
        return (
            f"{self._where}: another producer with this name has started, so this one can send nothing more (give each "
            "producer that runs at the same time a name of its own)"
        )

    @property
    def _where(self) -> str:
        return f"broker {self._cluster}: transactional_id {self._name!r}"
