"""Runs lines of kafka-acls.sh as an administrator would, over a door of the broker."""

from __future__ import annotations

import asyncio
import shlex
import subprocess

from tests.support.apache_kafka import JARS, JVM
from tests.support.secured_kafka import ROOT_USER, SecuredKafka

_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"


async def run_acl_lines(kafka: SecuredKafka, *lines: str) -> None:
    """Run lines whose `admin.properties` is that of the broker's administrator."""
    config = kafka.folder / "admin.properties"
    config.write_text(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
        f"ssl.truststore.type=PEM\nssl.truststore.location={kafka.authority.file}\n"
        f'sasl.jaas.config={_LOGIN} required username="{ROOT_USER}" password="{kafka.passwords[ROOT_USER]}";\n'
    )
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "kafka-acls.sh"
        given = [str(config) if argument == "admin.properties" else argument for argument in arguments]
        command = ["java", *JVM, "-cp", f"{JARS}/*", "org.apache.kafka.tools.AclCommand", *given]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
