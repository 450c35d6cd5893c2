"""The compose files against the code: without a Docker engine, every name must still be right."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.observe.server import HealthServer
from streams.settings import WorkerSettings
from streams.worker.memory_budget import worst_case_bytes
from syncline.cli.root import load
from syncline.kafka.topics import TopicPlan
from syncline.settings.config import load_settings
from syncline.settings.definition import ENV_PREFIX
from syncline.wire.contract import DEADLETTER
from tests.support.brokers import TestBroker

ROOT = Path(__file__).parents[2]
OURS = ("topics", "worker", "demo")
OWN_KAFKA = "compose.own-kafka.yaml"
FILES = ("docker-compose.yml", OWN_KAFKA)
LIMIT_S = 300.0
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
    return {name: filled(str(value)) for name, value in environment.items()}


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
    """A service's environment as the process sees it, with no variable set."""
    given = service.get("environment", {})
    return {name: filled(str(value)) for name, value in given.items()}


def filled(text: str) -> str:
    """A text of a compose file with its defaults for variables; those that must be given are a broker's address."""
    return re.sub(r"\$\{\w+:([-?])([^}]*)\}", lambda found: found[2] if found[1] == "-" else "broker.test:9093", text)


def size_bytes(text: str) -> int:
    """What compose takes `2g` for."""
    return int(text[:-1]) << {"k": 10, "m": 20, "g": 30}[text[-1]]


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
    known = {ENV_PREFIX + option.name.upper() for option in parser.params}
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


def check_of(service: Mapping[str, Any], port: int, at: int) -> list[str]:
    """The command of a service's health check as the container runs it, with another port in place of its own."""
    kind, *command = [word.replace("$$", "$") for word in service["healthcheck"]["test"]]
    assert kind == "CMD"
    moved = [word.replace(f"/dev/tcp/127.0.0.1/{port} ", f"/dev/tcp/127.0.0.1/{at} ") for word in command]
    assert moved != command
    return moved


async def exit_code(command: list[str]) -> int:
    """What it ends with."""
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=LIMIT_S, check=False)
    return done.returncode


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("not_ready", "code"), [([], 0), (["the model is being loaded"], 1)], ids=["ready", "not"])
async def test_the_healthcheck_asks_readyz(file: str, not_ready: list[str], code: int) -> None:
    """The very command of the file, run against the worker's own web server."""
    worker = yaml.safe_load((ROOT / file).read_text())["services"]["worker"]
    server = HealthServer("127.0.0.1", 0, list, lambda: not_ready)
    await server.start()
    try:
        assert await exit_code(check_of(worker, int(environment(worker)["SYNCLINE_WEB_PORT"]), server.port)) == code
    finally:
        await server.stop()


async def test_the_brokers_healthcheck_asks_a_broker(services: dict[str, dict[str, Any]], broker: TestBroker) -> None:
    """The very command of the file is answered by a broker, which tells its versions."""
    port = int(broker.address.split(",")[0].rpartition(":")[2])
    assert await exit_code(check_of(services["kafka"], 19092, port)) == 0


async def test_the_brokers_healthcheck_wants_an_answer(services: dict[str, dict[str, Any]]) -> None:
    """Whoever takes the connection and hangs up, as a broker that is starting may, is not healthy; nor is nobody."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(14)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await exit_code(check_of(services["kafka"], 19092, port)) != 0
    assert await exit_code(check_of(services["kafka"], 19092, port)) != 0


@pytest.mark.parametrize(("file", "service"), [(FILES[0], "kafka"), *((file, "worker") for file in FILES)])
def test_healthchecks_are_cheap_and_patient(file: str, service: str) -> None:
    """They start no JVM and no Python, and a machine that is busy for half a minute is no fault of the container."""
    check = yaml.safe_load((ROOT / file).read_text())["services"][service]["healthcheck"]
    assert check["test"][:3] == ["CMD", "bash", "-c"]
    assert not re.search(r"python|java|\.sh", check["test"][3])
    times_s = {name: int(check[name].removesuffix("s")) for name in ("interval", "timeout", "start_period")}
    assert times_s["timeout"] >= 30
    assert times_s["start_period"] >= 120
    assert times_s["interval"] * check["retries"] >= 120


@pytest.mark.parametrize("file", FILES)
def test_logs_are_bounded(file: str) -> None:
    """Each service's: the engine's own default keeps every line for ever."""
    for service in yaml.safe_load((ROOT / file).read_text())["services"].values():
        assert service["logging"]["driver"] == "json-file"
        options = service["logging"]["options"]
        assert size_bytes(options["max-size"]) * int(options["max-file"]) <= 100 << 20


@pytest.mark.parametrize("file", FILES)
def test_the_web_port_is_for_the_containers_alone(file: str) -> None:
    """A Prometheus in another container can ask; on the host only the broker has a port, for this machine."""
    services = yaml.safe_load((ROOT / file).read_text())["services"]
    assert environment(services["worker"])["SYNCLINE_WEB_HOST"] == "0.0.0.0"  # noqa: S104
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("file", FILES)
def test_workers_can_be_told_to_convert(file: str) -> None:
    """CONVERT reaches the worker, and EXTRAS the image; unset, nothing is converted, and nothing more installed."""
    worker = yaml.safe_load((ROOT / file).read_text())["services"]["worker"]
    assert worker["environment"]["SYNCLINE_CONVERT"] == "${CONVERT:-}"
    assert worker["build"]["args"]["EXTRAS"] == "${EXTRAS:-}"
    assert load_settings(WorkerSettings, environment=environment(worker)).settings.convert == ()


@pytest.mark.parametrize("file", [*FILES, "compose.gpu.yaml"])
def test_a_workers_memory_is_a_variable(file: str) -> None:
    """Who raises `max_held_bytes` raises WORKER_MEMORY with it."""
    worker = yaml.safe_load((ROOT / file).read_text())["services"]["worker"]
    limit = worker["deploy"]["resources"]["limits"]["memory"]
    assert limit.startswith("${WORKER_MEMORY:-")
    assert size_bytes(filled(limit)) >= 2 << 30


def test_each_file_is_a_project_of_its_own() -> None:
    """Two under one name would take each other's workers over."""
    names = [yaml.safe_load((ROOT / file).read_text())["name"] for file in FILES]
    assert len(set(names)) == len(names)


def test_workers_on_brokers_of_ones_own_have_tls_and_a_password_from_a_file(
    services: dict[str, dict[str, Any]],
) -> None:
    """The settings load as they stand; secrets are files, and all else is as in docker-compose.yml."""
    content = yaml.safe_load((ROOT / OWN_KAFKA).read_text())
    (name,) = content["services"]
    worker = content["services"][name]
    security = load_settings(WorkerSettings, environment=environment(worker)).settings.security
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


def test_the_gpu_override_builds_one_image() -> None:
    """All services are of the image with CUDA, under a tag of its own, and the workers alone get the GPU."""
    override = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text())["services"]
    assert set(override) == set(OURS)
    assert {service["image"] for service in override.values()} == {"syncline:local-gpu"}
    assert [service["build"] for service in override.values()] == [{"args": {"TORCH": ""}}] * len(OURS)
    assert [name for name, service in override.items() if "deploy" in service] == ["worker"]
    (device,) = override["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
