"""A Kafka cluster's addresses and the options that its clients need."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from aiokafka.protocol.admin import SaslAuthenticateRequest, SaslAuthenticateRequestStruct

from syncline.errors import SettingsError
from syncline.kafka.security import SecuritySettings, check_addresses

log = logging.getLogger(__name__)


def client_context(settings: SecuritySettings) -> ssl.SSLContext:
    """Make a TLS context: TLS 1.2 or newer; checks the broker's certificate, and its name unless switched off.

    Raises `SettingsError` that names the unusable file.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.ssl_cafile or None)
    except OSError as error:  # ssl.SSLError is one
        takes = f"a readable PEM file with certificates of authorities ({_reason(error)})"
        raise SettingsError("ssl_cafile", settings.ssl_cafile, takes) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = settings.ssl_check_hostname
    context.verify_mode = ssl.CERT_REQUIRED
    if settings.ssl_certfile:
        _load_certificate(context, settings)
    return context


def _load_certificate(context: ssl.SSLContext, settings: SecuritySettings) -> None:
    password = settings.read_secret("ssl_key_password").reveal()
    asked: list[bool] = []

    def on_asked() -> str:  # without a callback OpenSSL would ask on the terminal and wait
        asked.append(True)
        return password

    certfile, keyfile = settings.ssl_certfile, settings.ssl_keyfile or settings.ssl_certfile
    for name, path in (("ssl_certfile", certfile), ("ssl_keyfile", keyfile)):
        _check_readable(name, path)
    try:
        context.load_cert_chain(certfile, keyfile, on_asked)
    except (OSError, ValueError) as error:
        if asked:
            raise SettingsError("ssl_key_password_file", *_wrong_password(keyfile, bool(password))) from None
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            takes = f"the key of the certificate in {certfile}"
            raise SettingsError("ssl_keyfile", keyfile, takes) from error
        takes = f"a PEM file with a certificate; its key in it or in ssl_keyfile ({_reason(error)})"
        raise SettingsError("ssl_certfile", certfile, takes) from error


def _wrong_password(keyfile: str, given: bool) -> tuple[str, str]:
    return ("a wrong password" if given else "none"), f"a file with the password of the key in {keyfile}"


def _check_readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):
            return
    except OSError as error:
        raise SettingsError(name, path, f"a readable PEM file ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


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
        """Read the files of `security` and warn of weak settings. Raises `SettingsError`.

        brokers: `host:port,host:port`. options: more arguments of aiokafka's clients; they override `security`.
        """
        check_addresses(brokers)
        security = security or SecuritySettings()
        for warning in security.warnings():
            warn_once(f"broker {brokers}: {warning}")
        if security.uses_sasl:
            logging.getLogger("aiokafka.conn").addFilter(_hide_passwords)
        return cls(brokers, security, {**security_options(security), **(options or {})})

    def client_options(self) -> dict[str, Any]:
        """Return arguments for any aiokafka client."""
        return {"bootstrap_servers": self.brokers, **self.options}

    def __str__(self) -> str:
        return self.brokers


def as_cluster(brokers: str | Cluster) -> Cluster:
    """Make plain addresses a cluster without TLS and password."""
    return brokers if isinstance(brokers, Cluster) else Cluster.of(brokers)


_CARRY_PASSWORDS = (SaslAuthenticateRequest, *get_args(SaslAuthenticateRequestStruct))
"""aiokafka's request and all its wire versions. If they move, the import fails and no password is logged."""


def _hide_passwords(record: logging.LogRecord) -> bool:
    # At debug level aiokafka logs every request, and a SASL PLAIN request is the plain user and password.
    if isinstance(record.args, tuple):
        record.args = tuple("***" if isinstance(arg, _CARRY_PASSWORDS) else arg for arg in record.args)
    return True


def warn_once(text: str) -> None:
    """Log a warning once in a process."""
    if text not in _warned:
        _warned.add(text)
        log.warning("%s", text)


def security_options(security: SecuritySettings) -> dict[str, Any]:
    """Return TLS and SASL arguments for any aiokafka client; reads the files. Raises `SettingsError`."""
    options: dict[str, Any] = {"security_protocol": security.security_protocol}
    if security.uses_tls:
        options["ssl_context"] = client_context(security)
    if security.uses_sasl:
        options["sasl_mechanism"] = security.sasl_mechanism
        options["sasl_plain_username"] = security.sasl_username
        options["sasl_plain_password"] = security.read_secret("sasl_password").reveal()
    return options
