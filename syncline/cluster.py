"""Where a cluster is and how its clients get in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncline.security import SecuritySettings, check_addresses
from syncline.tls import client_context

log = logging.getLogger(__name__)
_warned: set[str] = set()


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka cluster as its clients reach it: bootstrap addresses, and arguments that each of them is given.

    Make one with `Cluster.of` and hand it on: files and passwords are read once. It prints as its addresses.
    """

    brokers: str
    security: SecuritySettings = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(
        cls, brokers: str, security: SecuritySettings | None = None, options: Mapping[str, Any] | None = None
    ) -> Cluster:
        """Read what `security` names, and warn of what it leaves open; raises `SettingsError`.

        brokers: `host:port,host:port`. options: further arguments of aiokafka's clients, which go before `security`.
        """
        check_addresses(brokers)
        security = security or SecuritySettings()
        for warning in security.warnings():
            warn_once(f"broker {brokers}: {warning}")
        if security.uses_sasl:
            logging.getLogger("aiokafka.conn").addFilter(_hide_passwords)
        return cls(brokers, security, {**security_options(security), **(options or {})})

    def client_options(self) -> dict[str, Any]:
        """Arguments for any client of aiokafka's."""
        return {"bootstrap_servers": self.brokers, **self.options}

    def __str__(self) -> str:
        return self.brokers


def as_cluster(brokers: str | Cluster) -> Cluster:
    """Plain addresses as a cluster without protection."""
    return brokers if isinstance(brokers, Cluster) else Cluster.of(brokers)


def _hide_passwords(record: logging.LogRecord) -> bool:
    # At level debug aiokafka logs every request, and one of SASL PLAIN is user and password as they are.
    if isinstance(record.args, tuple):
        record.args = tuple("***" if type(arg).__name__.startswith("SaslAuth") else arg for arg in record.args)
    return True


def warn_once(text: str) -> None:
    """Log a warning, the same one once in a process."""
    if text not in _warned:
        _warned.add(text)
        log.warning("%s", text)


def security_options(security: SecuritySettings) -> dict[str, Any]:
    """Arguments for any client of aiokafka's; reads the files. Raises `SettingsError`."""
    options: dict[str, Any] = {"security_protocol": security.security_protocol}
    if security.uses_tls:
        options["ssl_context"] = client_context(security)
    if security.uses_sasl:
        options["sasl_mechanism"] = security.sasl_mechanism
        options["sasl_plain_username"] = security.sasl_username
        options["sasl_plain_password"] = security.read_secret("sasl_password").reveal()
    return options
