"""syncline/kafka/cluster.py: what aiokafka logs at level debug of a request that carries a password."""

from __future__ import annotations

import logging

import pytest
from aiokafka.protocol.admin import SaslAuthenticateRequest

from syncline.kafka.cluster import Cluster
from syncline.kafka.security import SecuritySettings
from syncline.settings.secret import Secret

PASSWORD = b"\0alice\0wonderland"


@pytest.mark.parametrize("version", [0, 1])
def test_no_version_of_the_request_with_a_password_is_logged(version: int, caplog: pytest.LogCaptureFixture) -> None:
    """As aiokafka's connection logs it; all else of the line stays."""
    security = SecuritySettings(
        security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_username="alice", sasl_password=Secret("wonderland")
    )
    Cluster.of("localhost:9092", security)
    request = SaslAuthenticateRequest(PASSWORD).prepare({SaslAuthenticateRequest.API_KEY: (version, version)})
    assert "wonderland" in str(request)
    with caplog.at_level(logging.DEBUG, logger="aiokafka.conn"):
        logging.getLogger("aiokafka.conn").debug("Request to %s:%d %d: %s", "localhost", 9092, 1, request)
    assert [record.getMessage() for record in caplog.records] == ["Request to localhost:9092 1: ***"]
