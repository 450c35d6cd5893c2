"""Settings of every command and client: the brokers, security, and the names of topics and group."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from syncline.kafka.security import SecuritySettings, check_addresses
from syncline.settings.definition import NotEmpty, check_ranges
from syncline.wire.contract import DEFAULT_BROKERS, DEFAULT_GROUP, DEFAULT_PREFIX, MAX_EVENT_BYTES


class ClientSettings(Struct, frozen=True, kw_only=True):
    """Settings of all commands.

    Raises:
        SettingsError: a setting is wrong; with what it got and what it takes.
    """

    brokers: Annotated[str, NotEmpty, Meta(description="Bootstrap addresses: host:port,host:port.")] = DEFAULT_BROKERS
    topic_prefix: Annotated[str, Meta(description="Prefix of every topic's name.")] = DEFAULT_PREFIX
    group: Annotated[str, NotEmpty, Meta(description="Consumer group of the workers, which share the streams.")] = (
        DEFAULT_GROUP
    )
    max_event_bytes: Annotated[
        int, Meta(ge=1, description="Size limit of a media record's value; larger records become dead letters.")
    ] = MAX_EVENT_BYTES
    security: SecuritySettings = SecuritySettings()

    def __post_init__(self) -> None:
        check_ranges(self)
        check_addresses(self.brokers)
