"""What a topic takes: asked of its broker once it has refused something for its size."""

from __future__ import annotations

from syncline.cluster import Cluster
from syncline.results import Record
from syncline.topics import read_limit

LEAST_LIMIT_BYTES = 1_024
"""A topic that takes less takes no result at all, as during an outage: `topics create` makes none such."""
UNTOLD_LIMIT_BYTES = 65_536
"""Where the broker does not tell, or not this client, smaller records are waited for."""
BATCH_BYTES = 61
"""Of a batch without its records; a topic's limit is that of whole batches."""


async def takes(cluster: Cluster, topic: str, record: Record) -> bool:
    """Whether a record that was refused for its size will be taken by its topic (full name) in the end.

    True: the limit is above it again, or so low that nothing goes. Raises `BrokerError` where nobody answers.
    """
    limit = await read_limit(cluster, topic)
    if limit is None:
        return _size(record) < UNTOLD_LIMIT_BYTES
    return limit < LEAST_LIMIT_BYTES or BATCH_BYTES + _size(record) <= limit


def _size(record: Record) -> int:
    """At least what the record alone adds to a batch: numbers, which take a byte or more each, are left out."""
    headers = sum(len(name.encode()) + len(data or b"") for name, data in record.headers)
    return len(record.key or b"") + len(record.value) + headers
