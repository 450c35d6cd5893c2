"""Parts of this worker that stop working, as a bug in one of them would look from outside: `interferences.Ailment`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from streams.kafka.app import SynclineApp
from streams.kafka.batch_consumer import BatchConsumer
from streams.kafka.log import LogTail
from streams.partition.decode import Decoder
from streams.partition.driver import PartitionDriver
from streams.worker.worker import Worker
from tests.support.interferences import Ailment, Switches

LOOK_S = 0.05

IsOn = Callable[[], bool]


class _Caught:
    """The worker of this process and its application, once they are there."""

    worker: Any = None
    app: Any = None
    loop: asyncio.AbstractEventLoop


def ail(ailments: Sequence[Ailment], switches: Switches) -> None:
    """Have these parts fail as soon as their switch is on."""
    if not ailments:
        return
    caught = _catch()
    for ailment in ailments:

        def is_on(switch: str = ailment.switch) -> bool:
            return switches.is_on(switch)

        if ailment.part in _STAND_STILL:
            _STAND_STILL[ailment.part](is_on)
        else:
            threading.Thread(target=_act, args=[_ACTS[ailment.part], caught, is_on], daemon=True).start()


def _catch() -> _Caught:
    caught, run, make_app = _Caught(), Worker.run, SynclineApp.__init__

    async def run_and_tell(self: Worker) -> None:
        caught.worker, caught.loop = self, asyncio.get_running_loop()
        await run(self)

    def make_and_tell(self: Any, *args: Any) -> None:
        make_app(self, *args)
        caught.app = self

    Worker.run = run_and_tell  # type: ignore[method-assign]
    SynclineApp.__init__ = make_and_tell  # type: ignore[method-assign]
    return caught


def _act(act: Callable[[_Caught, IsOn], None], caught: _Caught, is_on: IsOn) -> None:
    while not is_on():
        time.sleep(LOOK_S)
    act(caught, is_on)


def _sleep(is_on: IsOn) -> None:
    while is_on():
        time.sleep(LOOK_S)


# --- parts that stand still while the switch is on --------------------------------------------------------------------


def _decode(is_on: IsOn) -> None:
    decode_one = Decoder._decode_one

    def decode_late(self: Decoder, *args: Any, **named: Any) -> Any:
        _sleep(is_on)
        return decode_one(self, *args, **named)

    Decoder._decode_one = decode_late  # type: ignore[method-assign]


def _fetcher(is_on: IsOn) -> None:
    getmany = BatchConsumer.getmany

    async def bring_nothing(self: BatchConsumer, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109
        while is_on():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        async for item in getmany(self, timeout):
            yield item

    BatchConsumer.getmany = bring_nothing  # type: ignore[method-assign]


def _tail(is_on: IsOn) -> None:
    hand_out = LogTail._hand_out

    async def hand_out_late(self: LogTail, polling: asyncio.Task[Any]) -> None:
        while is_on():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        await hand_out(self, polling)

    LogTail._hand_out = hand_out_late  # type: ignore[method-assign]


def _recovery(is_on: IsOn) -> None:
    recover = PartitionDriver._recover

    async def end_at_once(self: PartitionDriver) -> None:
        if not is_on():
            await recover(self)

    PartitionDriver._recover = end_at_once  # type: ignore[method-assign]


# --- what is done once, when the switch is turned on ------------------------------------------------------------------


def _loop(caught: _Caught, is_on: IsOn) -> None:
    caught.loop.call_soon_threadsafe(_sleep, is_on)


def _consumer_thread(caught: _Caught, is_on: IsOn) -> None:
    caught.app.consumer._thread.thread_loop.call_soon_threadsafe(_sleep, is_on)


def _batcher(caught: _Caught, is_on: IsOn) -> None:
    # Nobody wakes it any more, as after a lost wake-up.
    caught.worker._state.runner._batcher._changed = asyncio.Event()
    caught.worker._state.runner._batcher._wait_for_batch = asyncio.Event().wait


def _model_thread(caught: _Caught, is_on: IsOn) -> None:
    caught.worker._state.runner._thread.stop()


def _tail_task(caught: _Caught, is_on: IsOn) -> None:
    caught.loop.call_soon_threadsafe(caught.worker._state.context.tail.task.cancel)


def _decode_pool(caught: _Caught, is_on: IsOn) -> None:
    caught.worker._manager._context.pool.shutdown(wait=False)


def _sender(caught: _Caught, is_on: IsOn) -> None:
    def cancel() -> None:
        for driver in caught.worker._manager.drivers.values():
            for sender in driver._carrier._outbox._senders:
                sender.cancel()

    caught.loop.call_soon_threadsafe(cancel)


def _tick(caught: _Caught, is_on: IsOn) -> None:
    def cancel() -> None:
        for task in asyncio.all_tasks(caught.loop):
            if "PartitionManager.tick" in repr(task.get_coro()):
                task.cancel()

    caught.loop.call_soon_threadsafe(cancel)


_STAND_STILL: dict[str, Callable[[IsOn], None]] = {
    "decode": _decode,
    "fetcher": _fetcher,
    "tail": _tail,
    "recovery": _recovery,
}
_ACTS: dict[str, Callable[[_Caught, IsOn], None]] = {
    "loop": _loop,
    "consumer_thread": _consumer_thread,
    "batcher": _batcher,
    "model_thread": _model_thread,
    "tail_task": _tail_task,
    "decode_pool": _decode_pool,
    "sender": _sender,
    "tick": _tick,
}
