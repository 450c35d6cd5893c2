"""Fixtures that all tests share: brokers, and a topic prefix of one's own.

broker        shared by the session; `await broker.stop()` and `start()` are allowed. Over Tansu, and with
              --apache-kafka over Apache Kafka too. Marks its tests `kafka`.
own_broker    the same, but for this test alone.
secured_kafka an Apache Kafka with passwords, certificates and ACLs, shared by the session. Marks its tests `apache`.
topic_prefix  "t3f9a1c20.": tests on one broker do not meet.
"""

from __future__ import annotations

import signal
import uuid
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests.support.alone import alone, beside
from tests.support.apache_kafka import fetch_jars
from tests.support.brokers import KINDS, TestBroker, remove_now, start_now
from tests.support.secured_kafka import SecuredKafka

hypothesis.settings.register_profile("no clock", deadline=None)  # its 200 ms an example are over on any busy machine
hypothesis.settings.load_profile("no clock")

_BROKER_FIXTURES = {"broker", "own_broker", "secured_kafka"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--apache-kafka",
        action="store_true",
        help="run the tests marked kafka on an Apache Kafka too (needs a JDK 17 and Maven)",
    )
    parser.addoption("--no-tansu", action="store_true", help="with --apache-kafka: leave out what `make test` has run")
    parser.addoption("--guarantees", action="store_true", help="run the tests that `make guarantees` runs, on Tansu")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # As under `make test &` in a script; the processes that tests start would not hear Ctrl-C either.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "guarantees: belongs to `make guarantees`; runs with --guarantees")
    if config.getoption("--apache-kafka"):
        fetch_jars()
    elif config.getoption("--no-tansu"):
        raise pytest.UsageError("--no-tansu leaves no broker: it goes with --apache-kafka")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # By hand, not by a parametrised session fixture: in random order pytest would start Kafka anew at each change.
    if "broker_kind" not in metafunc.fixturenames:
        return
    kinds = ["tansu", "apache"] if metafunc.config.getoption("--apache-kafka") else ["tansu"]
    if metafunc.config.getoption("--no-tansu"):
        kinds.remove("tansu")
    if metafunc.definition.get_closest_marker("apache") is not None:
        kinds = ["apache"]
    metafunc.parametrize("broker_kind", kinds)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _BROKER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")
        if "secured_kafka" in getattr(item, "fixturenames", ()):
            item.add_marker("apache")
        if item.get_closest_marker("apache") is not None and not config.getoption("--apache-kafka"):
            item.add_marker(pytest.mark.skip(reason="needs an Apache Kafka: pytest --apache-kafka"))
        if item.get_closest_marker("guarantees") is not None and not config.getoption("--guarantees"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: pytest --guarantees, or make guarantees"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    # First of all, so that waiting for others is no part of a test's timeout.
    with alone() if item.get_closest_marker("timing") is not None else beside():
        return (yield)


@pytest.fixture(scope="session")
def shared_brokers() -> Iterator[dict[str, TestBroker]]:
    """Brokers of the session by kind, started by whoever asks first."""
    brokers: dict[str, TestBroker] = {}
    yield brokers
    for broker in brokers.values():
        remove_now(broker)


@pytest.fixture
def broker(broker_kind: str, shared_brokers: dict[str, TestBroker]) -> TestBroker:
    """A running broker that other tests use too: keep to your `topic_prefix`."""
    if broker_kind not in shared_brokers:
        shared_brokers[broker_kind] = new = KINDS[broker_kind]()
        start_now(new)
    return shared_brokers[broker_kind]


@pytest.fixture
def own_broker(broker_kind: str) -> Iterator[TestBroker]:
    """A running broker for one test."""
    new = KINDS[broker_kind]()
    try:
        start_now(new)
        yield new
    finally:
        remove_now(new)


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A running broker at whose doors one needs a password or a certificate: keep to your `topic_prefix`."""
    new = SecuredKafka(tmp_path_factory.mktemp("secured-kafka"))
    try:
        start_now(new)
        yield new
    finally:
        new.cluster.remove()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"t{uuid.uuid4().hex[:8]}."
