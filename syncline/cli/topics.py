"""`syncline topics create|check|grow|acls`: the topics, their settings and their access rights."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from syncline.cli.options import with_client_settings, with_settings
from syncline.errors import TopicError
from syncline.kafka.authorization import Role, commands, needs_of
from syncline.kafka.cluster import Cluster
from syncline.kafka.settings import ClientSettings
from syncline.kafka.topic_growth import RESOLVE_LIMIT_S, TopicGrowth
from syncline.kafka.topics import (
    DAY_MS,
    DEFAULT_MAX_MESSAGE_BYTES,
    DEFAULT_RETENTION_MS,
    TopicPlan,
    TopicReport,
    check_topics,
    create_topics,
)
from syncline.wire.contract import ALL_TOPICS

app = typer.Typer(no_args_is_help=True, help="Create, check or grow the topics; print access rights.")


@app.command()
@with_client_settings()
def create(
    *,
    settings: ClientSettings,
    partitions: Annotated[
        int, typer.Option(help="Partitions of each topic, and so the largest number of busy workers.")
    ] = 4,
    replication: Annotated[int, typer.Option(help="Copies of each record; 3 with three brokers.")] = 1,
    retention_hours: Annotated[
        float, typer.Option(help="How long records are kept; decisions are kept 7 days longer.")
    ] = DEFAULT_RETENTION_MS / DAY_MS * 24,
    max_message_bytes: Annotated[int, typer.Option(help="Size limit of a record.")] = DEFAULT_MAX_MESSAGE_BYTES,
) -> None:
    """Create the topics that are missing, then check all."""
    plan = TopicPlan(
        n_partitions=partitions,
        replication=replication,
        prefix=settings.topic_prefix,
        retention_ms=round(retention_hours * 3_600_000),
        max_message_bytes=max_message_bytes,
    )
    cluster = Cluster.of(settings.brokers, settings.security)
    created = asyncio.run(create_topics(cluster, plan))
    for name in created:
        typer.echo(f"created {name}")
    typer.echo(f"{len(created)} created, {len(ALL_TOPICS) - len(created)} were there")
    _check(cluster, settings.topic_prefix, partitions, replication)


@app.command()
@with_client_settings()
def check(
    *,
    settings: ClientSettings,
    partitions: Annotated[int | None, typer.Option(help="Partitions of each topic. Default: any equal number.")] = None,
    replication: Annotated[int | None, typer.Option(help="Copies of each record. Default: any number.")] = None,
) -> None:
    """Compare the topics with what the service needs; exit code 1 if one differs."""
    _check(Cluster.of(settings.brokers, settings.security), settings.topic_prefix, partitions, replication)


@app.command()
@with_client_settings("group")
def grow(
    *,
    settings: ClientSettings,
    partitions: Annotated[int, typer.Option(min=1, help="The new, larger number of partitions of each topic.")],
    wait_s: Annotated[
        float, typer.Option(min=0, help="Time limit for resolving all sent records, in seconds.")
    ] = RESOLVE_LIMIT_S,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Give all topics more partitions. Stop all producers first; workers may run, and must be restarted.

    It waits until the workers have resolved all media, grows all topics, and waits until every broker knows the new
    number and the former workers have ended, which they do by themselves. Then producers may go on, after a restart,
    because a producer may count partitions only once. Exit code 1 if media keep coming or are not resolved in time
    (nothing has grown then), or if growing could not be finished; the same command then continues.
    """
    said: list[str] = []

    def say(what: str) -> None:
        if said[-1:] != [what]:  # it repeats what it waits for
            said.append(what)
            typer.echo(what, err=True)

    say("producers must be stopped now, until this says that they may go on")
    growth = TopicGrowth(
        Cluster.of(settings.brokers, settings.security),
        settings.topic_prefix,
        settings.group,
        partitions,
        say=say,
        limit_s=wait_s,
    )
    done = asyncio.run(growth.run())
    if as_json:
        counts = {"before": done.before, "partitions": done.n_partitions, "grown": done.grown}
        typer.echo(json.dumps({**counts, "workers_ended": done.n_workers}))
    else:
        typer.echo(f"{len(done.grown)} topics have grown from {done.before} to {done.n_partitions} partitions")
        typer.echo("producers may go on")


@app.command()
@with_settings(ClientSettings, "brokers", "topic_prefix")
def acls(
    *,
    settings: ClientSettings,
    role: Annotated[Role, typer.Argument(help="The role; each has its own user.")],
    user: Annotated[str, typer.Option(help="The user's name at the brokers; default the role's.")] = "",
    group: Annotated[
        str, typer.Option(help="The workers' consumer group, by default the setting; for a consumer its own, if any.")
    ] = "",
    transactional_id: Annotated[str, typer.Option(help="Of a producer that sends in transactions.")] = "",
) -> None:
    """Print the kafka-acls.sh commands that give a role exactly the rights it needs."""
    of_group = group or ("" if role == "consumer" else settings.group)
    lines = commands(
        needs_of(role),
        user=user or role,
        prefix=settings.topic_prefix,
        group=of_group,
        transactional_id=transactional_id,
        brokers=settings.brokers,
    )
    for line in lines:
        typer.echo(line)


def _check(cluster: Cluster, prefix: str, n_partitions: int | None, replication: int | None) -> None:
    report = asyncio.run(check_topics(cluster, prefix, n_partitions=n_partitions, replication=replication))
    _print(report)
    if report.differences:
        raise TopicError(f"{len(report.differences)} settings of topics on {cluster} are not as they must be")


def _print(report: TopicReport) -> None:
    for difference in report.differences:
        typer.echo(str(difference))
    if report.untold:
        typer.echo(f"not checked, because this broker does not report it: {', '.join(report.untold)}")
    if not report.differences:
        typer.echo(f"{len(ALL_TOPICS)} topics with {report.n_partitions} partitions each are as they must be")
