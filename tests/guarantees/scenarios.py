"""Scenarios that leave a broken worker no way out: every step waits for the one before it to have happened."""

from __future__ import annotations

import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from streams.decisions.entries import Batch, Entry
from streams.join.settings import JoinSettings
from syncline.wire.contract import FUSED
from tests.guarantees.pool import refused, stop_at
from tests.guarantees.scene import Scene, media_of, moment_of
from tests.support.transactions import transactional

SHORT_MS, LONG_MS = 500, 60_000
COMMITTED_S = 2.0
"""Twenty times the interval of commits: what is acknowledged wrongly has been committed by then."""
STANDSTILL_S = 8.0
N_MOMENTS = 500
HELD_EVENTS = 16


async def kill_beside_an_open_text(scene: Scene) -> None:
    """A text waits for its set while a later moment of another stream is published; then the worker is killed.

    Image and audio of that moment are committed, its text is not: it stands behind the one that waits.
    """
    worker = await scene.worker(max_wait_ms=LONG_MS)
    await worker.until_ready()
    await scene.send(media_of("slow", "text", 0))
    await scene.send(*moment_of("quick", 0))
    await scene.until(lambda: len(scene.outcomes.fused) == 1, "the moment to be fused")
    await scene.until_committed("media.image", 1)
    if not (await scene.judge(finished=False)).ok:
        return
    worker.kill()
    await scene.worker(max_wait_ms=SHORT_MS)
    await scene.until(lambda: ("media.text", 0, 0) in scene.outcomes.by_record, "the text that waited")
    await scene.until_quiet(SHORT_MS)


async def thaw_with_a_proposal(scene: Scene) -> None:
    """A worker stands still between proposing a partial set and appending it; it thaws when another owns its streams.

    The other has the same two records and waits for the third, which comes then.
    """
    victim = await scene.worker(max_wait_ms=SHORT_MS)
    await victim.until_ready()
    victim.switch(stop_at("proposed"))
    await scene.send(media_of("stream", "image", 0), media_of("stream", "audio", 0))
    await victim.until_stopped()
    successor = await scene.worker(max_wait_ms=LONG_MS)
    await successor.until_ready()
    victim.signal(signal.SIGCONT)
    await scene.until_logged(_has_a_batch)  # the first one in the log, behind the successor's claim: void
    await scene.send(media_of("stream", "text", 0))
    # In a set of three, or of two where the void proposal has taken effect; then the third waits for long.
    await scene.until(lambda: ("media.image", 0, 0) in scene.outcomes.by_record, "an outcome of the image")
    await scene.until_quiet(SHORT_MS)


async def kill_while_results_are_refused(scene: Scene) -> None:
    """Sets are decided and cannot be published; the worker is killed, and its successor can."""
    worker = await scene.worker()
    worker.switch(refused(FUSED))
    await worker.until_ready()
    await scene.send(*(media for n in range(5) for media in moment_of("stream", n)))
    await scene.until_logged(_has_a_batch)
    deadline_s = time.monotonic() + COMMITTED_S
    while time.monotonic() < deadline_s and not any((await scene.committed()).values()):
        pass
    if not (await scene.judge(finished=False)).ok:
        return
    worker.kill()
    worker.switch(refused(FUSED), on=False)
    worker.start()
    await scene.until(lambda: len(scene.outcomes.by_record) == 15, "an outcome of each record")
    await scene.until_quiet(SHORT_MS)


async def backlog_over_the_limits(scene: Scene) -> None:
    """Far more than a worker may hold waits when it starts: it reads a little, holds, reads on."""
    await scene.send(*(media for n in range(N_MOMENTS) for media in moment_of("stream", n)))
    await scene.worker(max_held_events=HELD_EVENTS, hard_limit_factor=2)
    await scene.until(lambda: bool(scene.outcomes.by_record), "a first outcome")
    await scene.until(
        lambda: len(scene.outcomes.by_record) == 3 * N_MOMENTS or scene.silent_s > STANDSTILL_S,
        "an outcome of each record, or a standstill",
    )


async def abort_beside_a_moment(scene: Scene) -> None:
    """A moment is written and its transaction is aborted; then it is written again, and committed."""
    worker = await scene.worker()
    await worker.until_ready()
    async with transactional(scene.broker, scene.prefix) as producer:
        for end in (producer.abort_transaction, producer.commit_transaction):
            await producer.begin_transaction()
            for one in moment_of("stream", 0):
                topic = scene.prefix + one.topic
                await producer.send_and_wait(topic, one.value, one.key, one.partition, headers=one.headers)
            await end()
    await scene.until(lambda: bool(scene.outcomes.fused), "the moment to be fused")
    await scene.until_quiet(SHORT_MS)


Scenario = Callable[[Scene], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        kill_beside_an_open_text,
        thaw_with_a_proposal,
        kill_while_results_are_refused,
        backlog_over_the_limits,
        abort_beside_a_moment,
    )
}
ON_APACHE = frozenset({"abort_beside_a_moment"})
"""Scenarios for which the embedded broker lacks something."""
JOIN = JoinSettings(tolerance_ms=45, max_wait_ms=SHORT_MS)


def _has_a_batch(entries: Sequence[Entry | None]) -> bool:
    return any(isinstance(entry, Batch) for entry in entries)
