"""The compose files against the code: without a Docker engine, every name must still be right."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.budget import worst_case_bytes
from streams.health.server import HealthServer
from streams.settings import WorkerSettings
from syncline.cli.root import load
from syncline.config import load_settings
from syncline.contract import DEADLETTER
from syncline.topics import TopicPlan

ROOT = Path(__file__).parents[2]
OURS = ("topics", "worker", "demo")
OWN_KAFKA = "compose.own-kafka.yaml"
MODEL_BYTES = 800 * 2**20
"""Resident memory of a worker with the reference model that has answered and holds nothing: 708 MB measured."""


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of docker-compose.yml."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture(scope="module")
def kafka(services: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Kafka's environment, with ${NAME:-default} replaced by the default."""
    environment = services["kafka"]["environment"]
    return {name: str(value).replace("${KAFKA_PORT:-9092}", "9092") for name, value in environment.items()}


@pytest.fixture(scope="module")
def plan(services: dict[str, dict[str, Any]]) -> TopicPlan:
    """What the topics job makes."""
    given = parse("topics", services["topics"]["command"])
    return TopicPlan(
        n_partitions=given["partitions"],
        replication=given["replication"],
        retention_ms=round(given["retention_hours"] * 3_600_000),
        max_message_bytes=given["max_message_bytes"],
    )


def parse(command: str, arguments: list[str]) -> dict[str, Any]:
    """What `syncline ARGUMENTS` gives its command's function; fails where the command line does not take them."""
    assert arguments[0] == command
    parser = load(command)
    rest = arguments[1:]
    while hasattr(parser, "commands"):
        parser, rest = parser.commands[rest[0]], rest[1:]
    with parser.make_context(command, list(rest)) as context:
        return dict(context.params)


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    """A service's environment as the process sees it, with MODEL not set."""
    given = service.get("environment", {})
    return {name: str(value).replace("${MODEL:-reference}", "reference") for name, value in given.items()}


def test_the_workers_environment_is_settings_that_exist(services: dict[str, dict[str, Any]]) -> None:
    """A name that the worker does not know would stop it at its start."""
    loaded = load_settings(WorkerSettings, environment=environment(services["worker"])).settings
    assert loaded.brokers == "kafka:19092"
    assert loaded.model == "reference"
    assert loaded.web_port == 6066


@pytest.mark.parametrize(("service", "command"), [("topics", "create"), ("demo", None)])
def test_other_commands_read_the_environment_that_they_are_given(
    services: dict[str, dict[str, Any]], service: str, command: str | None
) -> None:
    """Each SYNCLINE_ name is the variable of one of the command's options."""
    parser = load("topics").commands[command] if command else load("produce")
    known = {option.envvar for option in parser.params}
    assert set(environment(services[service])) <= known


def test_the_command_lines_parse(services: dict[str, dict[str, Any]]) -> None:
    """Flags and subcommands are ones that the code has."""
    assert parse("topics", services["topics"]["command"])["partitions"] == 4
    assert services["worker"]["command"] == ["worker"]
    (script,) = services["demo"]["command"]
    words = shlex.split(script)
    assert (ROOT / words[words.index("python") + 1]).is_file()
    assert parse("produce", words[words.index("syncline") + 1 :])["manifest"] == Path("/tmp/demo.jsonl")  # noqa: S108


def test_everybody_uses_one_prefix_and_one_broker(services: dict[str, dict[str, Any]]) -> None:
    """The topics that the job makes are those that worker and producer use: the default names."""
    for service in OURS:
        settings = environment(services[service])
        assert (settings["SYNCLINE_BROKERS"], settings["SYNCLINE_TOPIC_PREFIX"]) == ("kafka:19092", TopicPlan().prefix)


def test_the_broker_listens_where_it_says(services: dict[str, dict[str, Any]], kafka: dict[str, str]) -> None:
    """Each advertised name has a listener of that port and a protocol, and the host's port is its own listener."""
    listeners = dict(pair.split("://") for pair in kafka["KAFKA_LISTENERS"].split(","))
    advertised = dict(pair.split("://") for pair in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    protocols = dict(pair.split(":") for pair in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(protocols) == set(listeners)
    assert set(listeners) - set(advertised) == {kafka["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    for name, address in advertised.items():
        assert address.endswith(listeners[name])
    assert advertised[kafka["KAFKA_INTER_BROKER_LISTENER_NAME"]] == "kafka:19092"
    assert kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"{kafka['KAFKA_NODE_ID']}@kafka:29093"
    assert services["kafka"]["ports"] == ["127.0.0.1:${KAFKA_PORT:-9092}:9092"]
    assert advertised["PLAINTEXT_HOST"] == "localhost:9092"


def test_the_brokers_data_are_on_a_volume(services: dict[str, dict[str, Any]], kafka: dict[str, str]) -> None:
    """Else they are gone with the container."""
    (mount,) = services["kafka"]["volumes"]
    assert mount.split(":")[1] == kafka["KAFKA_LOG_DIRS"]


def test_the_broker_takes_what_the_topics_take(kafka: dict[str, str], plan: TopicPlan) -> None:
    """Dead letters are the largest records; offsets outlive the media; no topic is made by a typing error."""
    assert int(kafka["KAFKA_MESSAGE_MAX_BYTES"]) >= int(plan.config(DEADLETTER)["max.message.bytes"])
    assert int(kafka["KAFKA_OFFSETS_RETENTION_MINUTES"]) * 60_000 > plan.retention_ms
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert plan.replication == 1  # one broker


def test_it_is_the_kafka_that_the_tests_run_on(services: dict[str, dict[str, Any]]) -> None:
    """The same minor version, by a tag that names it in full."""
    tested = (ROOT / "deploy/kafka/pom.xml").read_text().split("<kafka.version>")[1].split("<")[0]
    name, tag = services["kafka"]["image"].split(":")
    assert name == "apache/kafka"
    assert tag.split(".")[:2] == tested.split(".")[:2]
    assert len(tag.split(".")) == 3


def test_workers_can_be_scaled(services: dict[str, dict[str, Any]]) -> None:
    """A fixed name or port on the host could be had by one container only."""
    assert not {"container_name", "ports", "hostname"} & set(services["worker"])


def test_who_depends_on_whom(services: dict[str, dict[str, Any]]) -> None:
    """Broker, then topics, then everything else."""
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert services["topics"]["restart"] == "no"
    for service in ("worker", "demo"):
        assert services[service]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}
    assert [name for name, service in services.items() if "profiles" in service] == ["demo"]


@pytest.mark.parametrize(("file", "service"), [*(("docker-compose.yml", name) for name in OURS), (OWN_KAFKA, "worker")])
def test_our_containers_can_do_little(file: str, service: str) -> None:
    """No root, no capabilities, nothing to write to but /tmp, limits on memory and processes."""
    given = yaml.safe_load((ROOT / file).read_text())["services"][service]
    assert given["user"] == "10001:10001"
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert [mount.split(":")[0] for mount in given["tmpfs"]] == ["/tmp"]  # noqa: S108
    assert {"memory", "pids"} <= set(given["deploy"]["resources"]["limits"])


def test_a_workers_memory_limit_is_above_its_budget(services: dict[str, dict[str, Any]]) -> None:
    """Whatever it holds: one worker that owns all partitions, with its model, is not killed for its memory."""
    limit = services["worker"]["deploy"]["resources"]["limits"]["memory"]
    gib = float(re.fullmatch(r"\$\{WORKER_MEMORY:-(\d+)g\}", limit)[1])  # type: ignore[index]
    settings = load_settings(WorkerSettings, environment=environment(services["worker"])).settings
    n_partitions = parse("topics", services["topics"]["command"])["partitions"]
    assert MODEL_BYTES + worst_case_bytes(settings, n_partitions) < gib * 2**30


def test_a_worker_is_given_time_to_drain(services: dict[str, dict[str, Any]]) -> None:
    """Killed earlier, it would leave to its successor what it could have finished."""
    grace_s = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace_s * 1_000 > WorkerSettings().stop_limit_ms


def test_a_worker_that_is_not_live_is_started_anew(services: dict[str, dict[str, Any]]) -> None:
    """Compose restarts what has ended, never what is unhealthy: so the worker must end by itself."""
    settings = load_settings(WorkerSettings, environment=environment(services["worker"])).settings
    assert services["worker"]["restart"] == "unless-stopped"
    assert settings.not_live_exit_ms > 0


@pytest.mark.parametrize(("not_ready", "code"), [([], 0), (["the model is being loaded"], 1)], ids=["ready", "not"])
async def test_the_healthcheck_asks_readyz(
    services: dict[str, dict[str, Any]], not_ready: list[str], code: int
) -> None:
    """The very command of the file, run against the worker's own web server."""
    test = services["worker"]["healthcheck"]["test"]
    port = environment(services["worker"])["SYNCLINE_WEB_PORT"]
    assert test[:3] == ["CMD", "python", "-c"]
    server = HealthServer("127.0.0.1", 0, list, lambda: not_ready)
    await server.start()
    try:
        program = test[3].replace(f"127.0.0.1:{port}/", f"127.0.0.1:{server.port}/")
        assert program != test[3]
        command = [sys.executable, "-c", program]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=False)
        assert done.returncode == code
    finally:
        await server.stop()


@pytest.mark.parametrize("file", ["docker-compose.yml", OWN_KAFKA])
def test_the_web_port_is_for_the_container_alone(file: str) -> None:
    """Said where everybody looks, and no port is published on the host but the broker's, for this machine."""
    services = yaml.safe_load((ROOT / file).read_text())["services"]
    settings = environment(services["worker"])
    assert settings["SYNCLINE_WEB_HOST"] == "127.0.0.1"
    assert f"127.0.0.1:{settings['SYNCLINE_WEB_PORT']}/readyz" in services["worker"]["healthcheck"]["test"][3]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_workers_on_brokers_of_ones_own_have_tls_and_a_password_from_a_file(
    services: dict[str, dict[str, Any]],
) -> None:
    """The settings load as they stand; secrets are files, and all else is as in docker-compose.yml."""
    content = yaml.safe_load((ROOT / OWN_KAFKA).read_text())
    (name,) = content["services"]
    worker = content["services"][name]
    given = {key: re.sub(r"\$\{\w+:([-?])(.*)\}", _filled, value) for key, value in environment(worker).items()}
    security = load_settings(WorkerSettings, environment=given).settings.security
    assert (security.security_protocol, security.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    mounted = {f"/run/secrets/{secret}" for secret in worker["secrets"]}
    assert {security.ssl_cafile, security.sasl_password_file} == mounted
    assert set(worker["secrets"]) == set(content["secrets"])
    assert all(set(secret) == {"file"} for secret in content["secrets"].values())
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert all(secret["file"].startswith("./secrets/") for secret in content["secrets"].values())
    assert "/secrets/" in ignored
    ours = {key: value for key, value in worker.items() if key not in ("environment", "secrets")}
    assert ours == {key: services["worker"][key] for key in ours}


def _filled(variable: re.Match[str]) -> str:
    return "broker.test:9093" if variable[1] == "?" else variable[2]


def test_the_gpu_override_changes_workers_only() -> None:
    """It asks for one GPU and for torch with CUDA, under a tag of its own."""
    override = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text())["services"]
    assert set(override) == {"worker"}
    (device,) = override["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert override["worker"]["build"]["args"] == {"TORCH": ""}
    assert override["worker"]["image"] != "syncline:local"
