"""`syncline verify` and `syncline explain` over a run on a broker, as a person or a program runs them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from syncline.cli.explain import app as explain_app
from syncline.cli.verify import app as verify_app
from syncline.errors import BrokerError, SettingsError
from syncline.send_log import Send, SendLog
from tests.guarantees.media import Media
from tests.guarantees.workload import Mix, workload
from tests.support.brokers import KINDS, TestBroker, remove_now, start_now
from tests.support.judge import Reader
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

PREFIX, N_PARTITIONS, LIMIT_S = "checked.", 2, 90.0
MIX = Mix(too_large=0.0, broken=0.08, late=0.05, unexpected=0.03)
JOIN = {"tolerance_ms": 60, "out_of_order_ms": "image=50", "max_wait_ms": 500}
CONFIG = "[join]\ntolerance_ms = 60\nmax_wait_ms = 500\n[join.out_of_order_ms]\nimage = 50\n"


@dataclass
class Run:
    """What was sent in a run that is over, and where it is."""

    broker: TestBroker
    sent: dict[tuple[str, int, int], Media] = field(default_factory=dict[tuple[str, int, int], Media])

    def options(self, tmp_path: Path) -> list[str]:
        """Where the broker is, and the settings that the worker had."""
        (tmp_path / "syncline.toml").write_text(CONFIG, encoding="utf-8")
        place = ["--brokers", self.broker.address, "--topic-prefix", PREFIX, "--group", PREFIX + "workers"]
        return [*place, "--config", str(tmp_path / "syncline.toml")]

    def find(self, kind: str) -> tuple[str, int, int]:
        """Where a record of a kind is."""
        return next(place for place, media in self.sent.items() if media.kind == kind)

    async def happen(self) -> None:
        """One worker, a few hundred records, until each has its outcome and is committed."""
        await make_topics(self.broker.address, PREFIX, N_PARTITIONS)
        async with (
            WorkerProcess(self.broker, PREFIX, **JOIN) as worker,
            Reader(self.broker.address, PREFIX, N_PARTITIONS) as reader,
        ):
            await worker.until_ready()
            async with AIOKafkaProducer(bootstrap_servers=self.broker.address) as producer:
                for media in workload(5, 300, N_PARTITIONS, 4, MIX):
                    place = PREFIX + media.topic, media.value, media.key, media.partition
                    metadata = await producer.send_and_wait(*place, headers=media.headers)
                    self.sent[media.topic, metadata.partition, metadata.offset] = media
            await reader.read_until(lambda seen: len(seen.by_record) == len(self.sent), LIMIT_S)
            code, _ = await worker.terminate()
            assert code == 0, worker.log()


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """A run that is over; the broker is still there."""
    broker = KINDS["tansu"]()
    start_now(broker)
    try:
        happened = Run(broker)
        asyncio.run(happened.happen())
        yield happened
    finally:
        remove_now(broker)


def verify(*arguments: str) -> Result:
    """Run `syncline verify`."""
    return CliRunner().invoke(verify_app, list(arguments))


def explain(run: Run, tmp_path: Path, place: tuple[str, int, int], *more: str) -> Result:
    """Run `syncline explain`."""
    topic, partition, offset = place
    arguments = [topic, str(partition), str(offset), *run.options(tmp_path), *more]
    return CliRunner().invoke(explain_app, arguments)


pytestmark = pytest.mark.kafka


def test_a_run_without_faults_is_fine(run: Run, tmp_path: Path) -> None:
    """Exit code 0, and a table that adds up, with the settings from the file that the workers would have."""
    ran = verify("--finished", *run.options(tmp_path))
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.splitlines()[-1].split() == ["violations", "none", "0"]
    found: dict[str, Any] = json.loads(verify("--finished", "--json", *run.options(tmp_path)).stdout)
    assert found["ok"]
    assert sum(found["counts"]["records"].values()) == len(run.sent)
    assert found["violations"] == []


def test_other_settings_are_violations(run: Run, tmp_path: Path) -> None:
    """Judged by a tolerance that the worker did not have, decisions are wrong: exit code 1, with a small history."""
    ran = verify("--finished", *run.options(tmp_path), "--tolerance-ms", "5", "--max-shown", "2")
    assert ran.exit_code == 1
    assert "wrong decision: partition" in ran.stdout
    assert "the smallest history that shows the first:" in ran.stdout
    assert "more" in ran.stdout


def test_a_lost_send_is_a_violation(run: Run, tmp_path: Path) -> None:
    """The send log is held against the topics."""
    (topic, partition, offset), media = next(iter(run.sent.items()))
    named: dict[str, Any] = {"stream": media.event.stream, "lane": "text", "topic": topic, "outcome": "ok"}
    with SendLog(tmp_path / "sends") as log:
        log.write(Send(id=media.event.id, source=media.event.source, partition=partition, offset=offset, **named))
        log.write(Send(id="gone", source="urn:x", partition=partition, offset=10**6, **named))
    ran = verify("--finished", "--json", "--send-log", str(tmp_path / "sends"), *run.options(tmp_path))
    assert ran.exit_code == 1
    found = json.loads(ran.stdout)
    assert found["violations_by_kind"] == {"lost write": 1}
    assert found["counts"]["sends"] == {"ok, and there": 1}
    assert "gone of urn:x" in found["smallest"]["lost write"][0]


def test_wrong_usage_is_code_2(run: Run, tmp_path: Path) -> None:
    """A setting that cannot be, and a send log that is not there, are errors of the user's."""
    assert isinstance(verify("--tolerance-ms", "x").exception, SettingsError)
    assert isinstance(verify(*run.options(tmp_path), "--send-log", str(tmp_path / "no")).exception, SettingsError)
    assert verify("--nonsense").exit_code == 2


def test_a_fused_record_is_explained(run: Run, tmp_path: Path) -> None:
    """What it says, its set with the other members, what was published where, and that it is committed."""
    place = run.find("ok")
    ran = explain(run, tmp_path, place)
    assert ran.exit_code == 0, ran.output
    media = run.sent[place]
    for said in (
        f"{place[0]}, partition {place[1]}, offset {place[2]}",
        f"stream {media.event.stream}, lane {media.event.lane}",
        f"id {media.event.id} of {media.event.source}",
        "<- this record",
        "results.fused offset",
        "past this record: it will not be read again",
    ):
        assert said in ran.stdout
    told = json.loads(explain(run, tmp_path, place, "--json").stdout)
    (decision,) = told["decisions"]
    assert decision["kind"] == "set"
    assert decision["counts"] == "valid"
    assert [place[0], place[2]] in [[member["topic"], member["offset"]] for member in decision["members"]]
    assert told["is_committed"]
    assert [one["topic"] for one in told["published"]] == ["results.fused"]


def test_the_prefix_may_be_given(run: Run, tmp_path: Path) -> None:
    """A topic may be named as Kafka names it."""
    topic, partition, offset = run.find("ok")
    assert (
        explain(run, tmp_path, (PREFIX + topic, partition, offset)).stdout
        == explain(run, tmp_path, (topic, partition, offset)).stdout
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no_key", "dead letter: no_key: the record has no key"),
        ("bad_time", "dead letter: bad_time: ce_time is not RFC 3339"),
        ("late", "in no set: late, by "),
        ("duplicate", "in no set: "),
        ("unexpected", "in no set: unexpected: the stream does not wait for this lane"),
    ],
)
def test_a_record_in_no_set_is_explained(run: Run, tmp_path: Path, kind: str, words: str) -> None:
    """The reason is said in words, and where it was published."""
    said = explain(run, tmp_path, run.find(kind)).stdout
    assert words in said
    assert "unfused offset" in said or "deadletter offset" in said


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        (("media.text", 0, 10**6), BrokerError, "has no record at offset 1000000: it ends at"),
        (("media.text", 7, 0), BrokerError, "there is no 7"),
        (("results.fused", 0, 0), SettingsError, "media.image, media.text, media.audio"),
    ],
)
def test_a_record_that_is_not_there(
    run: Run, tmp_path: Path, place: tuple[str, int, int], error: type[Exception], words: str
) -> None:
    """One clear line."""
    ran = explain(run, tmp_path, place)
    assert isinstance(ran.exception, error)
    assert words in str(ran.exception)
