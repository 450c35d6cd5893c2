"""What keeps a client out: one line that names it and says what to do, exit code 2, and no second try."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from syncline.consumer import ResultConsumer
from syncline.errors import AccessError
from syncline.kafka.security import SecuritySettings
from syncline.producer import MediaProducer
from tests.support.certificates import YESTERDAY, Authority
from tests.support.command_line import as_flags, run_command
from tests.support.secured_kafka import SecuredKafka
from tests.support.worker_process import WorkerProcess

PROMPT_S = 35.0
"""Far longer than any of it takes on a busy machine, and less than aiokafka's time-out for a single try."""
PREFIX = "refused."


class Case(NamedTuple):
    """A door, what its client is told wrongly (given the broker and a folder), and what the line must name."""

    door: str
    settings: Callable[[SecuredKafka, Path], dict[str, Any]]
    told: tuple[str, ...]


def wrong_password(kafka: SecuredKafka, folder: Path) -> dict[str, Any]:
    (folder / "wrong").write_text("not-the-password\n")
    return kafka.settings("SASL", sasl_password_file=str(folder / "wrong"))


def unknown_authority(kafka: SecuredKafka, folder: Path) -> dict[str, Any]:
    return kafka.settings("SASL", ssl_cafile=str(Authority(folder / "stranger").file))


def expired_client(kafka: SecuredKafka, _: Path) -> dict[str, Any]:
    kafka.authority.issue("expired-client", "expired.clients.test", ends_in=YESTERDAY)
    return kafka.settings("MTLS", "expired-client")


CASES = {
    "wrong password": Case("SASL", wrong_password, ("'root'", "sasl_username", "sasl_password_file")),
    "unknown user": Case("SASL", lambda kafka, _: kafka.settings("SASL", sasl_username="nobody"), ("'nobody'",)),
    "expired certificate": Case("EXPIRED", lambda kafka, _: kafka.settings("EXPIRED"), ("has expired", "renew it")),
    "wrong host name": Case("OTHERNAME", lambda kafka, _: kafka.settings("OTHERNAME"), ("another name", "127.0.0.1")),
    "unknown authority": Case("SASL", unknown_authority, ("stranger/ca.pem", "ssl_cafile")),
    "no client certificate": Case(
        "MTLS", lambda kafka, _: kafka.settings("MTLS", ssl_certfile="", ssl_keyfile=""), ("wants", "ssl_certfile")
    ),
    "expired client certificate": Case("MTLS", expired_client, ("refuses", "expired-client.pem", "not expired")),
    "password where none is asked for": Case(
        "PLAINTEXT", lambda kafka, _: kafka.settings("BARE"), ("asks for no user", "security_protocol")
    ),
    "no TLS where it is spoken": Case("SASL", lambda kafka, _: kafka.settings("BARE"), ("speaks TLS", "SASL_SSL")),
    "wrong mechanism": Case(
        "PLAINONLY", lambda kafka, _: kafka.settings("PLAINONLY"), ("does not take sasl_mechanism SCRAM-SHA-512",)
    ),
}
COMMANDS = {"topics check": [], "produce": ["manifest.jsonl"], "consume": []}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Something that is wrong."""
    return CASES[request.param]


def check_line(line: str, case: Case, address: str) -> None:
    """It names the broker's address, and what the case says."""
    assert line.startswith(f"syncline: broker {address}: "), line
    assert [text for text in case.told if text not in line] == [], line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_in_one_line_what_is_wrong(
    secured_kafka: SecuredKafka, tmp_path: Path, case: Case, command: str
) -> None:
    """Nothing else on stderr, and at once."""
    address = secured_kafka.address_of(case.door)
    (tmp_path / "manifest.jsonl").write_text('{"stream": "s", "modality": "text", "text": "t", "time_ms": 0}\n')
    given = [str(tmp_path / name) for name in COMMANDS[command]]
    flags = as_flags(case.settings(secured_kafka, tmp_path))
    started_s = time.monotonic()
    ran = run_command(*command.split(), *given, "--brokers", address, "--topic-prefix", PREFIX, *flags)
    assert time.monotonic() - started_s < PROMPT_S
    assert (ran.code, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    check_line(line, case, address)


async def test_a_worker_ends_with_one_line_that_says_what_is_wrong(
    secured_kafka: SecuredKafka, tmp_path: Path, case: Case
) -> None:
    """It does not wait for what waiting does not mend; of its log, nothing else is a warning or an error."""
    address, settings = secured_kafka.address_of(case.door), case.settings(secured_kafka, tmp_path)
    async with WorkerProcess(secured_kafka, PREFIX, brokers=address, **settings) as worker:
        code, out = await worker.wait(PROMPT_S)
        lines = worker.log().splitlines()
    assert (code, out) == (2, b"")
    check_line(lines[-1], case, address)
    assert [line for line in lines[:-1] if " INFO " not in line and "SASL without TLS" not in line] == []


@pytest.mark.parametrize("client", [MediaProducer, ResultConsumer])
async def test_a_program_gets_it_as_an_error(
    secured_kafka: SecuredKafka, tmp_path: Path, case: Case, client: type[MediaProducer | ResultConsumer]
) -> None:
    """One class of error for all of it, when it is entered."""
    address, settings = secured_kafka.address_of(case.door), case.settings(secured_kafka, tmp_path)
    with pytest.raises(AccessError) as caught:
        async with client(address, topic_prefix=PREFIX, security=SecuritySettings(**settings)):
            pass
    check_line(f"syncline: {caught.value}", case, address)


def test_the_nodes_own_addresses_are_looked_at_too(secured_kafka: SecuredKafka) -> None:
    """A certificate may be right for the bootstrap address and wrong for the name that the cluster gives."""
    address, settings = secured_kafka.address_of("MISNAMED"), secured_kafka.settings("MISNAMED")
    ran = run_command("topics", "check", "--brokers", address, "--topic-prefix", PREFIX, *as_flags(settings))
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    port = address.rpartition(":")[2]
    assert line.startswith(f"syncline: broker localhost:{port}: its certificate is for another name")
