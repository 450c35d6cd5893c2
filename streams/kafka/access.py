"""While a broker does not answer: is it away, or does it not let us in any more?

A certificate may expire, a password may be changed while a worker runs. It goes on trying, as with a broker that is
away, and says on /readyz what stands in the way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from syncline.cluster import Cluster
from syncline.probe import find_refusal

log = logging.getLogger(__name__)

ASK_EVERY_S = 2.0
SILENT_MS = 4_000
"""Answers come every second or two; without one for so long the reason is looked for."""


class AccessWatch:
    """Looks for the reason while `silent_ms`, the age of the last answer, is high."""

    def __init__(self, cluster: Cluster, silent_ms: Callable[[], int]) -> None:
        self._cluster, self._silent_ms = cluster, silent_ms
        self.refused = ""
        """What stands in the way, where that is known."""

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            found = await find_refusal(self._cluster) if self._silent_ms() > SILENT_MS else None
            told = "" if found is None else str(found)
            if told and told != self.refused:
                log.warning("no answer, trying again: %s", told)
            self.refused = told
