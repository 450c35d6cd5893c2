"""TLS and SASL settings of Kafka clients.

Passwords come from files or the environment (`SYNCLINE_SASL_PASSWORD`). On a command line every user of the machine
could read them with `ps`, and configuration files are easily copied and committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from syncline.errors import SettingsError
from syncline.settings.definition import as_text, check_ranges, settings_of
from syncline.settings.secret import MASK, Secret

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


class SecuritySettings(msgspec.Struct, frozen=True, kw_only=True):
    """TLS and SASL settings of Kafka clients. Files are PEM and are read when a client is made.

    A password is a `Secret`, or a file that contains nothing else. TLS or SASL settings together with a protocol
    without TLS or SASL are refused, so that nobody mistakes a plain connection for a protected one.

    Raises:
        SettingsError: a setting is wrong; a secret is never shown.

    Example:
        >>> from syncline import SecuritySettings
        >>> security = SecuritySettings(
        ...     security_protocol="SASL_SSL",
        ...     ssl_cafile="ca.pem",
        ...     sasl_username="worker",
        ...     sasl_password_file="/run/secrets/kafka",
        ... )
        >>> security.uses_tls, security.uses_sasl
        (True, True)
    """

    security_protocol: Annotated[
        Protocol,
        Meta(description="PLAINTEXT (no protection), SSL (TLS), SASL_SSL (TLS and a password), SASL_PLAINTEXT."),
    ] = "PLAINTEXT"
    ssl_cafile: Annotated[
        str,
        Meta(description="PEM file of the authorities that sign the brokers' certificates; default the system's."),
    ] = ""
    ssl_certfile: Annotated[str, Meta(description="PEM file of this client's certificate, if brokers ask for one.")] = (
        ""
    )
    ssl_keyfile: Annotated[str, Meta(description="PEM file of its key, if that is not in the certificate's file.")] = ""
    ssl_key_password: Annotated[
        Secret, Meta(description="Password of an encrypted key. It has no flag, since `ps` would show it.")
    ] = Secret()
    ssl_key_password_file: Annotated[
        str, Meta(description="File whose only line is the key's password; instead of SYNCLINE_SSL_KEY_PASSWORD.")
    ] = ""
    ssl_check_hostname: Annotated[
        bool, Meta(description="Whether a broker's certificate must match its host name.")
    ] = True
    sasl_mechanism: Annotated[
        Mechanism, Meta(description="How the client authenticates; PLAIN sends the password itself.")
    ] = "SCRAM-SHA-512"
    sasl_username: Annotated[str, Meta(description="The user's name at the brokers.")] = ""
    sasl_password: Annotated[
        Secret, Meta(description="The user's password. It has no flag, since `ps` would show it.")
    ] = Secret()
    sasl_password_file: Annotated[
        str, Meta(description="File whose only line is the user's password; instead of SYNCLINE_SASL_PASSWORD.")
    ] = ""
    allow_sasl_without_tls: Annotated[
        bool, Meta(description="Allow SASL_PLAINTEXT, which anyone on the network path can read.")
    ] = False

    def __post_init__(self) -> None:
        check_ranges(self)
        self._check_layer("ssl_", self.uses_tls, "SSL or SASL_SSL")
        self._check_layer("sasl_", self.uses_sasl, "SASL_SSL")
        self._check_tls()
        if self.uses_sasl:
            self._check_sasl()

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted and brokers must show a certificate."""
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether this client logs in with a user and a password."""
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def read_secret(self, name: str) -> Secret:
        """Return a password, read from its file if one is set; empty if there is none.

        Args:
            name (str): `sasl_password` or `ssl_key_password`.

        Raises:
            SettingsError: the file cannot be read or is not one line.
        """
        path = getattr(self, f"{name}_file")
        return _read(f"{name}_file", path) if path else getattr(self, name)

    def warnings(self) -> list[str]:
        """Return a line for each setting that weakens protection, for the log at start."""
        told: list[str] = []
        if self.security_protocol == "SASL_PLAINTEXT":
            told.append("SASL without TLS, as allow_sasl_without_tls asks: anyone on the network path can read it")
        if self.uses_tls and not self.ssl_check_hostname:
            told.append("ssl_check_hostname is false: any certificate of the authority passes as a broker's")
        return told

    def as_environment(self) -> dict[str, str]:
        """Return variables that give a child process the same settings, passwords too: `ps` shows no environment."""
        return {setting.variable: as_text(getattr(self, setting.name)) for setting in settings_of(type(self))}

    def _check_layer(self, prefix: str, in_use: bool, takes: str) -> None:
        if in_use:
            return
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            if field.name.startswith(prefix) and value != field.default:
                need = f"nothing while security_protocol is {self.security_protocol}; is {takes} meant?"
                raise SettingsError(field.name, value, need)

    def _check_tls(self) -> None:
        if self.ssl_keyfile and not self.ssl_certfile:
            raise SettingsError("ssl_certfile", "", "the file of the certificate that ssl_keyfile belongs to")
        self._check_one_of("ssl_key_password")
        for name in ("ssl_key_password", "ssl_key_password_file"):
            if getattr(self, name) and not self.ssl_certfile:
                raise SettingsError(name, getattr(self, name), "nothing without ssl_certfile")

    def _check_sasl(self) -> None:
        if not self.uses_tls and not self.allow_sasl_without_tls:
            takes = "SASL_SSL; without TLS only together with allow_sasl_without_tls = true"
            raise SettingsError("security_protocol", self.security_protocol, takes)
        if not self.sasl_username.strip():
            raise SettingsError("sasl_username", self.sasl_username, "the user's name at the brokers")
        self._check_one_of("sasl_password")
        if not self.sasl_password and not self.sasl_password_file:
            raise SettingsError("sasl_password_file", "", "a file, or the variable SYNCLINE_SASL_PASSWORD")

    def _check_one_of(self, name: str) -> None:
        if getattr(self, name) and getattr(self, f"{name}_file"):
            raise SettingsError(f"{name}_file", getattr(self, f"{name}_file"), f"nothing while {name} is given too")


def check_addresses(brokers: str) -> None:
    """Raise `SettingsError` for addresses that are URLs or contain a user; the message hides what is before the @."""
    if "@" in brokers or "://" in brokers:
        shown = MASK + brokers[brokers.rindex("@") :] if "@" in brokers else brokers
        takes = "host:port,host:port; user and password are sasl_username and sasl_password_file"
        raise SettingsError("brokers", shown, takes)


def _read(name: str, path: str) -> Secret:
    takes = "a readable file whose only line is the password"
    try:
        text = Path(path).read_bytes().decode()
    except OSError as error:
        raise SettingsError(name, path, f"{takes} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(name, path, f"{takes} (it is not UTF-8)") from None  # the error would quote it
    line = text.removesuffix("\n").removesuffix("\r")
    if not line or "\n" in line:
        raise SettingsError(name, path, f"{takes} (it has {'more lines' if line else 'none'})")
    return Secret(line)
