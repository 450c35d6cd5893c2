"""`syncline topics create|check`: the topics and their settings."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from syncline.cli.security_options import Brokers, TopicPrefix, with_security
from syncline.contract import ALL_TOPICS, DEFAULT_BROKERS, DEFAULT_PREFIX
from syncline.errors import BrokerError
from syncline.kafka import Cluster
from syncline.security import SecuritySettings
from syncline.topic_check import TopicReport, check_topics
from syncline.topics import DAY_MS, DEFAULT_MAX_MESSAGE_BYTES, DEFAULT_RETENTION_MS, TopicPlan, create_topics

app = typer.Typer(no_args_is_help=True, help="Create or check the topics.")


@app.command()
@with_security
def create(
    *,
    security: SecuritySettings,
    brokers: Brokers = DEFAULT_BROKERS,
    partitions: Annotated[
        int, typer.Option(help="Partitions of each topic: at most so many workers share the streams.")
    ] = 4,
    replication: Annotated[int, typer.Option(help="Copies of each record; 3 where there are three brokers.")] = 1,
    topic_prefix: TopicPrefix = DEFAULT_PREFIX,
    retention_hours: Annotated[
        float, typer.Option(help="How long records are kept; decisions are kept 7 days longer.")
    ] = DEFAULT_RETENTION_MS / DAY_MS * 24,
    max_message_bytes: Annotated[int, typer.Option(help="Size limit of a record.")] = DEFAULT_MAX_MESSAGE_BYTES,
) -> None:
    """Create the topics that are missing, then check all."""
    plan = TopicPlan(
        n_partitions=partitions,
        replication=replication,
        prefix=topic_prefix,
        retention_ms=round(retention_hours * 3_600_000),
        max_message_bytes=max_message_bytes,
    )
    cluster = Cluster.of(brokers, security)
    created = asyncio.run(create_topics(cluster, plan))
    for name in created:
        typer.echo(f"created {name}")
    typer.echo(f"{len(created)} created, {len(ALL_TOPICS) - len(created)} were there")
    _check(cluster, topic_prefix, partitions, replication)


@app.command()
@with_security
def check(
    *,
    security: SecuritySettings,
    brokers: Brokers = DEFAULT_BROKERS,
    partitions: Annotated[
        int | None, typer.Option(help="Partitions of each topic; without it they need only be equal.")
    ] = None,
    replication: Annotated[
        int | None, typer.Option(help="Copies of each record; without it any number will do.")
    ] = None,
    topic_prefix: TopicPrefix = DEFAULT_PREFIX,
) -> None:
    """Compare the topics with what the service needs; exit code 1 when one differs."""
    _check(Cluster.of(brokers, security), topic_prefix, partitions, replication)


def _check(cluster: Cluster, prefix: str, n_partitions: int | None, replication: int | None) -> None:
    report = asyncio.run(check_topics(cluster, prefix, n_partitions=n_partitions, replication=replication))
    _print(report)
    if report.differences:
        raise BrokerError(f"{len(report.differences)} settings of topics on {cluster} are not as they must be")


def _print(report: TopicReport) -> None:
    for difference in report.differences:
        typer.echo(str(difference))
    if report.untold:
        typer.echo(f"not checked, because this broker does not tell it: {', '.join(report.untold)}")
    if not report.differences:
        typer.echo(f"{len(ALL_TOPICS)} topics with {report.n_partitions} partitions each are as they must be")
