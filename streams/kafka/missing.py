"""Where reading begins, and what is done where a topic does not have the offset that is asked for.

aiokafka would go to one end or the other by a policy, and say so in a line that nobody reads. Here the policy is
`none`: each case is told apart and handed on, so that it is said aloud, counted, or refused.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from aiokafka.errors import IllegalStateError, KafkaError

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """Where a topic partition is read from: the committed offset, or where the topic begins if there is none."""

    committed: int | None
    offset: int


class Deleted(NamedTuple):
    """The records from `start` up to `stop` were deleted before they were read; reading goes on at `stop`."""

    start: int
    stop: int


class Beyond(NamedTuple):
    """The topic partition ends at `end`, below the offset that it was read up to: it is not the same topic any more."""

    offset: int
    end: int


async def find_missing(consumer: Any, tp: Any, offset: int) -> Deleted | Beyond | None:
    """Why `tp` has nothing at `offset`; if it begins above it, the consumer is put there.

    None where it has, by now, or where the broker cannot be asked: reading meets the same again.
    """
    try:
        start = (await consumer.beginning_offsets([tp]))[tp]
        if offset < start:
            consumer.seek(tp, start)
            return Deleted(offset, start)
        end = (await consumer.end_offsets([tp]))[tp]
    except (KafkaError, IllegalStateError) as error:  # the broker is away; the assignment has just ended
        log.debug("%s: no answer to where it begins and ends: %r", tp, error)
        return None
    return Beyond(offset, end) if offset > end else None
