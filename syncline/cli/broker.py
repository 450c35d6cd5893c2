"""`syncline broker`: the embedded broker in the foreground."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from syncline.broker import EmbeddedBroker

app = typer.Typer()


@app.command()
def broker(
    port: Annotated[int, typer.Option(help="TCP port on 127.0.0.1; 0 takes any free one.")] = 9092,
) -> None:
    """Run the embedded broker on this machine until Ctrl-C; its records are in memory only.

    Clients: aiokafka, and librdkafka from 2.2 on (confluent-kafka, kcat). They
    list, create and delete topics, produce, also compressed, consume by partition
    and in groups, and commit. An idempotent producer is librdkafka's alone.

    What does not work: librdkafka up to 2.1 (kcat of Debian 12) cannot connect.
    What a transaction has aborted is read by everybody: take Apache Kafka for
    them. Settings of topics, such as retention, are accepted and not told. The
    end of a partition is told too low until somebody has read it. A group whose
    members leave at once may assign nothing to later ones: Syncline's own
    consumers mend it, for others a new group name does.
    """
    asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with EmbeddedBroker(port) as running:
        typer.echo(f"broker on {running.address}; Ctrl-C ends it and deletes its records")
        ended, asked = asyncio.create_task(running.wait()), asyncio.create_task(stopped.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            ended.result()  # raises the broker's error
