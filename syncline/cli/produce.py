"""`syncline produce MANIFEST.jsonl`: send the media that a manifest lists."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from syncline.cli.options import with_client_settings
from syncline.cli.progress import show_progress
from syncline.errors import SettingsError
from syncline.kafka.settings import ClientSettings
from syncline.manifest import Step, read_manifest, replay
from syncline.producer import MediaProducer, ProducerProgress
from syncline.send_log import SendLog

app = typer.Typer(add_completion=False)
_MANIFEST = (
    "JSON lines with stream, modality (image, text, audio), time_ms (ms since 1970), path or text; "
    "optional lane, language (BCP 47), duration_ms, id, content_type, after_ms (ms after the start)."
)
_TRANSACTIONAL_ID = (
    "Send in transactions (Apache Kafka); a name that no other producer has, kept over restarts. Default without."
)


@app.command()
@with_client_settings("max_event_bytes")
def produce(
    *,
    settings: ClientSettings,
    manifest: Annotated[Path, typer.Argument(help=_MANIFEST)],
    rate: Annotated[
        float, typer.Option(help="1 sends at the manifest's times, 2 twice as fast, 0 as fast as possible.")
    ] = 1.0,
    source: Annotated[str, typer.Option(help="URI of this producer; default urn:host: and the machine's name.")] = "",
    send_log: Annotated[
        Path | None,
        typer.Option(
            help="Append each send's outcome to this file as JSON lines, for `syncline verify`.", dir_okay=False
        ),
    ] = None,
    transactional_id: Annotated[str, typer.Option(help=_TRANSACTIONAL_ID)] = "",
    transaction_ms: Annotated[int, typer.Option(help="The manifest's time in one transaction, in ms.", min=1)] = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")] = False,
) -> None:
    """Send the media that a manifest lists; all lines are checked before the first is sent.

    Exit code 1 if the broker refused an event, 2 if a line is wrong.
    """
    if not 0 <= rate < float("inf"):
        raise SettingsError("--rate", rate, "a number of at least 0")
    steps = read_manifest(manifest, settings.max_event_bytes)
    started_s = time.monotonic()
    with nullcontext() if send_log is None else SendLog(send_log) as log:
        producer = MediaProducer(
            settings.brokers,
            topic_prefix=settings.topic_prefix,
            source=source,
            max_event_bytes=settings.max_event_bytes,
            send_log=log,
            security=settings.security,
            transactional_id=transactional_id,
        )
        n_failed = asyncio.run(_send(producer, steps, rate, transaction_ms if transactional_id else 0))
    typer.echo(_summary(producer.progress, time.monotonic() - started_s, as_json))
    if n_failed:
        raise typer.Exit(1)


async def _send(producer: MediaProducer, steps: list[Step], rate: float, transaction_ms: int) -> int:
    with show_progress("sending", len(steps)) as advance:

        def show(progress: ProducerProgress) -> None:
            advance(progress.n_delivered + progress.n_failed)

        producer.on_progress = show
        async with producer:
            return await replay(producer, steps, rate, transaction_ms)


def _summary(progress: ProducerProgress, seconds: float, as_json: bool) -> str:
    if as_json:
        summary = {
            "sent": progress.n_sent,
            "delivered": progress.n_delivered,
            "failed": progress.n_failed,
            "bytes": progress.n_bytes,
            "seconds": round(seconds, 3),
        }
        return json.dumps(summary)
    failed = f", {progress.n_failed} failed" if progress.n_failed else ""
    return f"{progress.n_delivered} of {progress.n_sent} events on the broker in {seconds:.1f} s{failed}"
