"""An Apache Kafka with doors: listeners that want a password or a certificate, and some that are not as they seem.

PLAINTEXT  nobody is asked anything; whoever comes is ANONYMOUS, who may do everything: how tests set things up
SASL       SASL_SSL: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN
MTLS       SSL: clients show a certificate of the authority; its common name is the user
BARE       SASL_PLAINTEXT: a password, no TLS
EXPIRED    SASL_SSL whose certificate has expired
OTHERNAME  SASL_SSL whose certificate is for another host
MISNAMED   SASL_SSL whose certificate is for the address, and which the cluster gives another name, localhost
PLAINONLY  SASL_SSL with PLAIN as its only mechanism

ACLs hold: apart from ANONYMOUS and `root` nobody may do anything that was not allowed.
"""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

from syncline.kafka.security import SecuritySettings
from syncline.settings.secret import Secret
from tests.support.apache_kafka import ApacheKafka
from tests.support.brokers import TestBroker
from tests.support.certificates import YESTERDAY, Authority

ROOT_USER = "root"
USERS = (ROOT_USER, "worker", "producer", "consumer", "operator")
DOORS = {
    "SASL": "SASL_SSL", "MTLS": "SSL", "BARE": "SASL_PLAINTEXT", "EXPIRED": "SASL_SSL", "OTHERNAME": "SASL_SSL",
    "MISNAMED": "SASL_SSL", "PLAINONLY": "SASL_SSL",
}  # fmt: skip
HERE = ("127.0.0.1", "localhost")
_LOGIN = "org.apache.kafka.common.security"


class SecuredKafka(TestBroker):
    """One node; `passwords` by user, `authority` issued its certificates, `folder` holds the files."""

    kind = "apache"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.passwords = {user: f"pw-{uuid.uuid4().hex}" for user in USERS}
        self.authority = Authority(folder / "authority")
        self.servers = {
            "SASL": self.authority.issue("broker", *HERE),
            "MTLS": self.authority.issue("broker-mtls", *HERE),
            "EXPIRED": self.authority.issue("broker-expired", *HERE, ends_in=YESTERDAY),
            "OTHERNAME": self.authority.issue("broker-elsewhere", "kafka.elsewhere.test"),
            "MISNAMED": self.authority.issue("broker-address", "127.0.0.1"),
        }
        self.servers["PLAINONLY"] = self.servers["SASL"]
        for user in USERS:
            self.authority.issue(user, f"{user}.clients.test")
            (folder / f"{user}.password").write_text(self.passwords[user] + "\n")
        scram = [
            f"{mechanism}=[name={user},password={password}]"
            for user, password in self.passwords.items()
            for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")
        ]
        options = [text for one in scram for text in ("--add-scram", one)]
        self.cluster = ApacheKafka(
            settings=self._settings(),
            doors=DOORS,
            advertised={"MISNAMED": "localhost"},
            format_options=options,
            in_memory=True,
        )

    @property
    def address(self) -> str:
        """The door at which nobody is asked anything."""
        return self.cluster.address

    def address_of(self, door: str) -> str:
        """Bootstrap address of a door."""
        return self.cluster.address_of(door)

    async def start(self) -> None:
        await asyncio.to_thread(self.cluster.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self.cluster.stop)

    def settings(self, door: str, user: str = ROOT_USER, **changes: Any) -> dict[str, Any]:
        """What a client of a door is told, by setting's name; as flags of a command it can be passed on."""
        given: dict[str, Any] = {"security_protocol": DOORS[door]}
        if "SSL" in DOORS[door]:
            given["ssl_cafile"] = str(self.authority.file)
        if door == "MTLS":
            given["ssl_certfile"] = str(self.authority.certificate_of(user))
            given["ssl_keyfile"] = str(self.authority.key_of(user))
        else:
            given |= {"sasl_username": user, "sasl_password_file": str(self.folder / f"{user}.password")}
        if door == "BARE":
            given["allow_sasl_without_tls"] = True
        return given | changes

    def security(self, door: str, user: str = ROOT_USER, **changes: Any) -> SecuritySettings:
        """The same for a client in this process."""
        return SecuritySettings(**self.settings(door, user, **changes))

    def password(self, user: str) -> Secret:
        """A user's password."""
        return Secret(self.passwords[user])

    def _settings(self) -> dict[str, str]:
        settings = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{ROOT_USER}",
            "allow.everyone.if.no.acl.found": "false",
            "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.mtls.ssl.truststore.type": "PEM",
            "listener.name.mtls.ssl.truststore.location": str(self.authority.file),
        }
        for door, file in self.servers.items():
            settings[f"listener.name.{door.lower()}.ssl.keystore.type"] = "PEM"
            settings[f"listener.name.{door.lower()}.ssl.keystore.location"] = str(file)
        for door in (name for name, protocol in DOORS.items() if protocol.startswith("SASL")):
            settings |= self._mechanisms(f"listener.name.{door.lower()}")
        settings["listener.name.plainonly.sasl.enabled.mechanisms"] = "PLAIN"
        return settings

    def _mechanisms(self, listener: str) -> dict[str, str]:
        users = " ".join(f'user_{user}="{password}"' for user, password in self.passwords.items())
        return {
            f"{listener}.sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
            f"{listener}.scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
            f"{listener}.scram-sha-256.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
            f"{listener}.plain.sasl.jaas.config": f"{_LOGIN}.plain.PlainLoginModule required {users};",
        }
