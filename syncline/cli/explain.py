"""`syncline explain TOPIC PARTITION OFFSET`: what happened to one record."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from syncline.cli.options import with_settings
from syncline.kafka.cluster import Cluster
from syncline.kafka.settings import ClientSettings

app = typer.Typer(add_completion=False)


@app.command()
@with_settings(ClientSettings, "brokers", "security", "group", "topic_prefix")
def explain(
    *,
    settings: ClientSettings,
    topic: Annotated[str, typer.Argument(help="media.image, media.text or media.audio, with or without the prefix.")],
    partition: Annotated[int, typer.Argument(min=0, help="Its partition, from 0.")],
    offset: Annotated[int, typer.Argument(min=0, help="Its offset, from 0.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what happened to one record: its content, its decision, its set, what was published and committed.

    Exit code 1 if there is no such record.
    """
    from verify.explain import explain as find
    from verify.explain_text import as_dict, in_words

    found = asyncio.run(
        find(
            Cluster.of(settings.brokers, settings.security),
            topic=topic,
            partition=partition,
            offset=offset,
            topic_prefix=settings.topic_prefix,
            group=settings.group,
        )
    )
    for line in [json.dumps(as_dict(found))] if as_json else in_words(found):
        typer.echo(line)
