"""Passwords are printed nowhere: not by a worker, a producer, a consumer or a command, at level debug, Faust and
aiokafka included."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncline.consumer import ResultConsumer
from syncline.kafka import cluster
from syncline.producer import MediaProducer
from syncline.settings.secret import Secret
from tests.support.command_line import as_flags
from tests.support.secured_kafka import ROOT_USER, SecuredKafka
from tests.support.topics import make_topics
from tests.support.worker_process import ROOT, WorkerProcess

KEY_PASSWORD = "key-password-5b1c"  # noqa: S105
MISSPELT = "SYNCLINE_SASL_PASSWROD"
AT_DEBUG = "import logging, sys; logging.basicConfig(level=0); from syncline.cli import main; main(sys.argv[1:])"


@pytest.fixture
def settings(secured_kafka: SecuredKafka) -> dict[str, Any]:
    """PLAIN, whose request holds the password as it is, and a certificate whose key has a password."""
    authority = secured_kafka.authority
    return secured_kafka.settings("SASL", sasl_mechanism="PLAIN") | {
        "ssl_certfile": str(authority.certificate_of(ROOT_USER)),
        "ssl_keyfile": str(authority.encrypt_key(ROOT_USER, KEY_PASSWORD)),
    }


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key's password comes from the environment, the user's from its file."""
    monkeypatch.setenv("SYNCLINE_SSL_KEY_PASSWORD", KEY_PASSWORD)


def shown(kafka_: SecuredKafka, text: str) -> list[str]:
    """Which passwords a text shows, plainly or in base64."""
    secrets = {"user": kafka_.passwords[ROOT_USER], "key": KEY_PASSWORD}
    forms = {name: (secret, base64.b64encode(secret.encode()).decode()[:-4]) for name, secret in secrets.items()}
    return [name for name, words in forms.items() if any(word in text for word in words)]


async def run_at_debug(*arguments: str, **environment: str) -> str:
    """Everything that a command prints with all loggers at debug."""
    command = [sys.executable, "-c", AT_DEBUG, *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    return done.stdout + done.stderr


async def test_neither_a_worker_nor_the_commands_print_a_password(
    secured_kafka: SecuredKafka, topic_prefix: str, tmp_path: Path, settings: dict[str, Any],
) -> None:  # fmt: skip
    """From start to stop, on the web pages too, with records flowing."""
    address = secured_kafka.address_of("SASL")
    place = ["--brokers", address, "--topic-prefix", topic_prefix, *as_flags(settings)]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"stream": "s", "modality": "text", "text": "t", "time_ms": 0}\n')
    told = {"create": await run_at_debug("topics", "create", *place)}
    worker = WorkerProcess(
        secured_kafka, topic_prefix, brokers=address, lanes="text", log_level="debug",
        ssl_key_password_file=str(tmp_path / "key"), **settings,
    )  # fmt: skip
    (tmp_path / "key").write_text(KEY_PASSWORD)
    async with worker:
        await worker.until_ready()
        told["produce"] = await run_at_debug("produce", str(manifest), *place)
        told["consume"] = await run_at_debug("consume", "--max", "1", *place)
        told["pages"] = json.dumps([await worker.ask("/readyz"), await worker.ask("/livez")])
        assert (await worker.terminate())[0] == 0
        told["worker"] = worker.log()
    told["config"] = await run_at_debug("worker", "--show-config", *place)
    assert "on the broker" in told["produce"]
    assert "1 results" in told["consume"]
    assert "DEBUG aiokafka.conn: Request" in told["worker"]
    assert "DEBUG faust" in told["worker"]
    assert {name: found for name, text in told.items() if (found := shown(secured_kafka, text))} == {}


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        (["--sasl-password", "{password}"], {}),
        (["--brokers", "kafka://root:{password}@127.0.0.1:1"], {}),
        (["--ssl-key-password", "{password}"], {}),
        (["--sasl-mechanism", "GSSAPI"], {"SYNCLINE_SASL_PASSWORD": "{password}"}),
        ([], {"SYNCLINE_SASL_PASSWORD": "{password}"}),
        ([], {MISSPELT: "{password}"}),
        (["--sasl-username", "nobody"], {}),
    ],
    ids=["flag", "address", "key", "mechanism", "two passwords", "misspelt", "refused"],
)
@pytest.mark.parametrize("command", ["worker", "topics check", "consume"])
async def test_no_error_prints_a_password(
    secured_kafka: SecuredKafka, settings: dict[str, Any], command: str, flags: list[str], environment: dict[str, str]
) -> None:
    """Whatever is wrong, and wherever the password was given."""
    password = secured_kafka.passwords[ROOT_USER]
    given = [flag.format(password=password) for flag in flags]
    variables = {name: value.format(password=password) for name, value in environment.items()}
    place = ["--brokers", secured_kafka.address_of("SASL"), "--topic-prefix", "none."]
    text = await run_at_debug(*command.split(), *place, *as_flags(settings), *given, **variables)
    assert "syncline: " in text
    assert shown(secured_kafka, text) == []


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All loggers at debug."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("masked", [True, False])
async def test_the_clients_log_no_password(
    secured_kafka: SecuredKafka, topic_prefix: str, settings: dict[str, Any], everything: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, masked: bool,
) -> None:  # fmt: skip
    """Without our mask aiokafka's debug log shows it: so this test, and those above, can fail."""
    if not masked:
        monkeypatch.setattr(cluster, "_hide_passwords", lambda record: True)
        logging.getLogger("aiokafka.conn").filters.clear()
    await make_topics(secured_kafka.address, topic_prefix)
    security = secured_kafka.security("SASL", **settings | {"ssl_key_password": Secret(KEY_PASSWORD)})
    address = secured_kafka.address_of("SASL")
    async with (
        MediaProducer(address, topic_prefix=topic_prefix, security=security) as producer,
        ResultConsumer(address, topic_prefix=topic_prefix, security=security),
    ):
        await producer.send("lobby", "text", text="hello", time_ms=1)
    assert shown(secured_kafka, everything.text) == ([] if masked else ["user"])
