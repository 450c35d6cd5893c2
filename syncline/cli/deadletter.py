"""`syncline deadletter list|show|retry`: dead letters, their reasons, and sending them again."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from syncline.cli import deadletter_text as text
from syncline.cli.options import with_client_settings
from syncline.cli.progress import show_progress
from syncline.deadletter.filter import DeadLetterFilter, Letter, LetterCounts, parse_when
from syncline.deadletter.reader import DeadLetterReader
from syncline.deadletter.retry import Plan, SentRetries, make_plan, send_retries
from syncline.errors import BrokerError, SettingsError
from syncline.kafka.cluster import Cluster
from syncline.kafka.settings import ClientSettings

app = typer.Typer(no_args_is_help=True, help="List, show or send again the records that could not be used.")

Reason = Annotated[str, typer.Option(help="Only those with this reason, such as image_header.")]
Stream = Annotated[str, typer.Option(help="Only those of this stream.")]
Since = Annotated[str, typer.Option(help="Written at or after: RFC 3339, or how long ago (90s, 30m, 12h, 7d).")]
Until = Annotated[str, typer.Option(help="Written before: RFC 3339, or how long ago (90s, 30m, 12h, 7d).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
@with_client_settings()
def list_letters(
    *,
    settings: ClientSettings,
    reason: Reason = "",
    stream: Stream = "",
    since: Since = "",
    until: Until = "",
    newest: Annotated[int, typer.Option(min=0, help="How many of the newest to print.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by reason and stream, and print the newest: when, PARTITION OFFSET, stream, origin, reason."""
    selection = _selection(reason, stream, since, until)
    tally, n_unreadable = asyncio.run(
        _tally(Cluster.of(settings.brokers, settings.security), settings.topic_prefix, selection, newest)
    )
    if as_json:
        typer.echo(json.dumps(text.tally_dict(tally, n_unreadable)))
        return
    for line in (*text.count_lines(tally), *map(text.letter_line, tally.newest)):
        typer.echo(line)
    if n_unreadable:
        typer.echo(f"{n_unreadable} records of the topic are no dead letters", err=True)


@app.command()
@with_client_settings()
def show(
    *,
    settings: ClientSettings,
    partition: Annotated[int, typer.Argument(min=0, help="Of the dead letter, as `list` prints it.")],
    offset: Annotated[int, typer.Argument(min=0, help="Of the dead letter, as `list` prints it.")],
    save: Annotated[
        Path | None, typer.Option(help="Write the original's bytes to this file.", dir_okay=False, writable=True)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; the bytes are base64.")] = False,
) -> None:
    """Show one dead letter: its reason, its origin, its headers and its first bytes.

    Exit code 1 if there is no such letter, or if --save is given and it has no bytes.
    """
    one = asyncio.run(_one(Cluster.of(settings.brokers, settings.security), settings.topic_prefix, (partition, offset)))
    data = one.letter.data
    if as_json:
        shown = text.as_dict(one) | {
            "reason_in_words": text.reason_in_words(one.letter.reason),
            "key": None if one.letter.key is None else base64.b64encode(one.letter.key).decode(),
            "data": None if data is None else base64.b64encode(data).decode(),
        }
        typer.echo(json.dumps(shown))
    else:
        for line in text.letter_in_words(one):
            typer.echo(line)
    if save is not None:
        if data is None:
            raise BrokerError(f"dead letter {partition} {offset} holds no bytes to save")
        save.write_bytes(data)
        typer.echo(f"{len(data)} bytes written to {save}", err=True)


@app.command()
@with_client_settings()
def retry(
    *,
    settings: ClientSettings,
    place: Annotated[
        list[int] | None,
        typer.Argument(metavar="[PARTITION OFFSET]", help="One dead letter, as `list` prints it.", show_default=False),
    ] = None,
    reason: Reason = "",
    stream: Stream = "",
    since: Since = "",
    until: Until = "",
    again: Annotated[bool, typer.Option("--again", help="Include those that were sent again before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send originals again to their media topics, after the cause was fixed.

    A retry has the original's key, bytes, headers and event time, so in a stream that has advanced it may end as
    unfused, reason late. It goes to the partition of its key, wherever the original was, and has two more headers:
    ce_retryof, the id of its dead letter, and ce_retries, how many times it was sent again. Dead letters stay.

    Each is sent once: which were sent before is found in the headers of the media topics, read from the time of the
    oldest letter on, which takes a while where much was sent since. Two retries at the same time do not see each
    other. Exit code 1 where the broker did not take one, or where the one that was named was not sent.
    """
    selection = _selection(reason, stream, since, until, place or [])
    cluster = Cluster.of(settings.brokers, settings.security)
    plan = asyncio.run(_plan(cluster, settings.topic_prefix, selection, again))
    if not as_json:
        for line in text.plan_lines(plan):
            typer.echo(line)
    sent = SentRetries()
    if not dry_run and plan.to_send:
        if len(plan.to_send) > 1 and not yes and sys.stdin.isatty():
            typer.confirm(f"Send {len(plan.to_send)} records?", abort=True)
        sent = asyncio.run(_send(cluster, settings.topic_prefix, plan))
    _report(plan, sent, dry_run, as_json)
    if sent.failed or (selection.place is not None and not plan.to_send):
        raise typer.Exit(1)


def _report(plan: Plan, sent: SentRetries, dry_run: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(text.plan_dict(plan, sent, dry_run=dry_run)))
        return
    typer.echo("nothing was sent" if dry_run or not plan.to_send else f"{sent.n_sent} sent, {len(sent.failed)} failed")
    for planned, error in sent.failed[: text.MAX_ROWS]:
        typer.echo(f"{planned.partition} {planned.offset}: {text.plain(error)}", err=True)


def _selection(reason: str, stream: str, since: str, until: str, place: list[int] | None = None) -> DeadLetterFilter:
    now_ms = int(time.time() * 1_000)
    since_ms, until_ms = parse_when("--since", since, now_ms), parse_when("--until", until, now_ms)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise SettingsError("--until", until, "a time after --since")
    if place:
        if len(place) != 2 or min(place) < 0:
            raise SettingsError("PARTITION OFFSET", " ".join(map(str, place)), "two whole numbers from 0, or none")
        if reason or stream or since or until:
            raise SettingsError("PARTITION OFFSET", " ".join(map(str, place)), "no filter beside it: it is one letter")
    one = (place[0], place[1]) if place else None
    return DeadLetterFilter(reason=reason, stream=stream, since_ms=since_ms, until_ms=until_ms, place=one)


async def _tally(cluster: Cluster, prefix: str, selection: DeadLetterFilter, n_newest: int) -> tuple[LetterCounts, int]:
    tally = LetterCounts(n_newest)
    async with DeadLetterReader(cluster, prefix) as box:
        async for letters in box.select(selection):
            tally.take(letters)
    return tally, box.n_unreadable


async def _one(cluster: Cluster, prefix: str, place: tuple[int, int]) -> Letter:
    async with DeadLetterReader(cluster, prefix) as box:
        found = [one async for letters in box.select(DeadLetterFilter(place=place)) for one in letters]
    return found[0]


async def _plan(cluster: Cluster, prefix: str, selection: DeadLetterFilter, again: bool) -> Plan:
    async with DeadLetterReader(cluster, prefix) as box:
        return await make_plan(box, selection, again=again)


async def _send(cluster: Cluster, prefix: str, plan: Plan) -> SentRetries:
    with show_progress("sending", len(plan.to_send)) as advance:
        async with DeadLetterReader(cluster, prefix) as box:
            return await send_retries(box, plan, advance)
