"""syncline/kafka/security.py: settings that check themselves, and never show a password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncline.errors import SettingsError
from syncline.kafka.cluster import Cluster, security_options
from syncline.kafka.security import SecuritySettings, check_addresses
from syncline.settings.config import load_settings
from syncline.settings.secret import Secret

PASSWORD = "hunter2"  # noqa: S105
SASL: dict[str, Any] = {"sasl_username": "worker", "sasl_password": Secret(PASSWORD)}


@pytest.mark.parametrize(
    ("given", "name", "takes"),
    [
        ({"security_protocol": "TLS"}, "security_protocol", "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ({"security_protocol": "SASL_SSL", **SASL, "sasl_mechanism": "GSSAPI"}, "sasl_mechanism", "SCRAM-SHA-512"),
        ({"security_protocol": "SASL_PLAINTEXT", **SASL}, "security_protocol", "allow_sasl_without_tls"),
        ({"security_protocol": "SASL_SSL", "sasl_password": Secret("p")}, "sasl_username", "name"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "w"}, "sasl_password_file", "SYNCLINE_SASL_PASSWORD"),
        ({"security_protocol": "SASL_SSL", **SASL, "sasl_password_file": "f"}, "sasl_password_file", "nothing while"),
        ({"security_protocol": "SASL_SSL", **SASL, "sasl_password": PASSWORD}, "sasl_password", "a Secret"),
        ({"ssl_cafile": "ca.pem"}, "ssl_cafile", "is SSL or SASL_SSL meant?"),
        ({"ssl_check_hostname": False}, "ssl_check_hostname", "nothing while security_protocol is PLAINTEXT"),
        ({"sasl_password": Secret(PASSWORD)}, "sasl_password", "is SASL_SSL meant?"),
        ({"security_protocol": "SSL", **SASL}, "sasl_username", "is SASL_SSL meant?"),
        ({"security_protocol": "SSL", "ssl_keyfile": "k.pem"}, "ssl_certfile", "ssl_keyfile belongs to"),
        ({"security_protocol": "SSL", "ssl_key_password": Secret(PASSWORD)}, "ssl_key_password", "ssl_certfile"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes(given: dict[str, Any], name: str, takes: str) -> None:
    """One line, exit code 2, and never the password."""
    with pytest.raises(SettingsError) as caught:
        SecuritySettings(**given)
    assert caught.value.name == name
    assert takes in caught.value.takes
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in repr(caught.value)


def test_sasl_without_tls_is_had_by_asking_for_it_and_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Once, by whoever makes a client of it."""
    settings = SecuritySettings(security_protocol="SASL_PLAINTEXT", allow_sasl_without_tls=True, **SASL)
    for _ in range(2):
        options = Cluster.of("warned-of:1", settings).client_options()
    assert options["sasl_plain_password"] == PASSWORD
    (warning,) = [line for line in caplog.messages if "warned-of:1" in line]
    assert "SASL without TLS" in warning


@pytest.mark.parametrize("content", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
def test_a_password_is_read_from_a_file(tmp_path: Path, content: bytes) -> None:
    """Without the end of line that an editor leaves."""
    path = tmp_path / "password"
    path.write_bytes(content)
    settings = SecuritySettings(security_protocol="SASL_PLAINTEXT", sasl_username="w", allow_sasl_without_tls=True,
                                sasl_password_file=str(path))  # fmt: skip
    assert security_options(settings)["sasl_plain_password"] == PASSWORD


@pytest.mark.parametrize("content", [None, b"", b"\n", b"hunter2\nmore\n", b"hunter2\xff"])
def test_a_file_that_is_no_password_is_refused_unread(tmp_path: Path, content: bytes | None) -> None:
    """The error names the file and shows nothing of what is in it."""
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    settings = SecuritySettings(security_protocol="SASL_PLAINTEXT", sasl_username="w", allow_sasl_without_tls=True,
                                sasl_password_file=str(path))  # fmt: skip
    with pytest.raises(SettingsError, match="sasl_password_file") as caught:
        Cluster.of("b:1", settings)
    assert str(path) in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_cluster_prints_as_its_addresses(tmp_path: Path) -> None:
    """In errors, logs and `repr`."""
    settings = SecuritySettings(security_protocol="SASL_PLAINTEXT", allow_sasl_without_tls=True, **SASL)
    cluster = Cluster.of("b:1", settings)
    assert (str(cluster), repr(cluster)) == ("b:1", "Cluster(brokers='b:1')")
    assert PASSWORD not in repr(settings)


@pytest.mark.parametrize(
    ("brokers", "shown"),
    [
        ("kafka://user:hunter2@b:1", "***@b:1"),
        ("a:1,user:hunter2@b:1", "***@b:1"),
        ("user:hun,hunter2@b:1", "***@b:1"),
        ("kafka://b:1", "kafka://b:1"),
    ],
)
def test_addresses_with_a_user_are_refused_and_masked(brokers: str, shown: str) -> None:
    """A password in an address would be in every log line that names the broker."""
    with pytest.raises(SettingsError) as caught:
        check_addresses(brokers)
    assert (caught.value.name, caught.value.got) == ("brokers", shown)


def test_a_child_process_gets_the_same_settings() -> None:
    """By its environment, in which what the parent was told on the command line wins."""
    settings = SecuritySettings(security_protocol="SASL_PLAINTEXT", allow_sasl_without_tls=True, **SASL)
    environment = {"SYNCLINE_SASL_MECHANISM": "PLAIN", **settings.as_environment()}
    assert load_settings(SecuritySettings, environment=environment, default_file=None).settings == settings


@pytest.mark.parametrize(
    ("toml", "environment", "flags"),
    [
        ("sasl_password = 'hunter2'", {}, {}),
        ("", {}, {"sasl_password": PASSWORD}),
        ("", {"SYNCLINE_SASL_PASSWROD": PASSWORD}, {}),
        ("sasl_passwrod = 'hunter2'", {}, {}),
    ],
    ids=["file", "flag", "misspelt variable", "misspelt line"],
)
def test_a_password_from_elsewhere_is_refused_unshown(
    tmp_path: Path, toml: str, environment: dict[str, str], flags: dict[str, object]
) -> None:
    """The error says where it may come from; an unknown setting's value is not shown, it may be one."""
    file = tmp_path / "t.toml"
    file.write_text(toml)
    with pytest.raises(SettingsError, match=r"(?i)sasl.passw") as caught:
        load_settings(SecuritySettings, flags=flags, environment=environment, file=file)
    assert PASSWORD not in str(caught.value)


def test_a_password_comes_from_its_variable() -> None:
    """And is masked where settings are shown."""
    environment = {"SYNCLINE_SASL_PASSWORD": PASSWORD, "SYNCLINE_SECURITY_PROTOCOL": "SASL_SSL",
                   "SYNCLINE_SASL_USERNAME": "w"}  # fmt: skip
    loaded = load_settings(SecuritySettings, environment=environment, default_file=None)
    assert loaded.settings.read_secret("sasl_password").reveal() == PASSWORD
    (line,) = [line for line in loaded.lines() if line.startswith("sasl_password ")]
    assert line.split() == ["sasl_password", "=", "***", "(SYNCLINE_SASL_PASSWORD)"]
    assert PASSWORD not in "".join(loaded.lines())


def test_settings_are_no_part_of_any_wire() -> None:
    """Whoever would send or store them is stopped."""
    with pytest.raises(TypeError):
        msgspec.json.encode(SecuritySettings(security_protocol="SASL_SSL", **SASL))
