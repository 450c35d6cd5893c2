"""syncline/kafka/cluster.py: what our TLS contexts check, and that a file which cannot be used is named."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import SettingsError
from syncline.kafka.cluster import security_options
from syncline.kafka.security import SecuritySettings
from syncline.settings.secret import Secret
from tests.support.certificates import Authority

PASSWORD = "hunter2"  # noqa: S105


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """With certificates for `one` and `two`."""
    made = Authority(tmp_path / "authority")
    for name in ("one", "two"):
        made.issue(name, f"{name}.test")
    return made


def certificate(authority: Authority, **changes: Any) -> dict[str, Any]:
    """Settings of a client with a certificate."""
    files = {"ssl_certfile": str(authority.certificate_of("one")), "ssl_keyfile": str(authority.key_of("one"))}
    return {"security_protocol": "SSL", "ssl_cafile": str(authority.file), **files, **changes}


def context(**settings: Any) -> ssl.SSLContext:
    """The context that clients are given."""
    return security_options(SecuritySettings(**settings))["ssl_context"]


def test_a_context_checks_certificate_and_name_from_tls_1_2_on(authority: Authority) -> None:
    """With one's own authority, and with the system's."""
    for cafile in (str(authority.file), ""):
        made = context(security_protocol="SSL", ssl_cafile=cafile)
        assert made.verify_mode is ssl.CERT_REQUIRED
        assert made.check_hostname
        assert made.minimum_version is ssl.TLSVersion.TLSv1_2
    only = context(security_protocol="SSL", ssl_cafile=str(authority.file))
    assert only.cert_store_stats()["x509_ca"] == 1


def test_the_name_alone_may_be_left_unchecked(authority: Authority) -> None:
    """The certificate is checked all the same, and a warning is told."""
    settings = SecuritySettings(security_protocol="SSL", ssl_cafile=str(authority.file), ssl_check_hostname=False)
    made = security_options(settings)["ssl_context"]
    assert (made.check_hostname, made.verify_mode) == (False, ssl.CERT_REQUIRED)
    assert "ssl_check_hostname" in settings.warnings()[0]


@pytest.mark.parametrize("name", ["key apart", "key in the certificate's file", "password", "password's file"])
def test_a_clients_certificate_is_loaded(authority: Authority, tmp_path: Path, name: str) -> None:
    """Its key beside it or in it, plain or under a password."""
    (tmp_path / "password").write_text(PASSWORD + "\n")
    locked = str(authority.encrypt_key("one", PASSWORD))
    changes: dict[str, dict[str, Any]] = {
        "key apart": {},
        "key in the certificate's file": {"ssl_certfile": str(authority.both_of("one")), "ssl_keyfile": ""},
        "password": {"ssl_keyfile": locked, "ssl_key_password": Secret(PASSWORD)},
        "password's file": {"ssl_keyfile": locked, "ssl_key_password_file": str(tmp_path / "password")},
    }
    assert context(**certificate(authority, **changes[name]))


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        (lambda _: {"ssl_cafile": "/nowhere/ca.pem"}, "ssl_cafile", "No such file"),
        (lambda folder: {"ssl_cafile": str(folder / "text")}, "ssl_cafile", "PEM file with certificates"),
        (lambda _: {"ssl_certfile": "/nowhere/c.pem"}, "ssl_certfile", "No such file"),
        (lambda _: {"ssl_keyfile": "/nowhere/c.key"}, "ssl_keyfile", "No such file"),
        (lambda folder: {"ssl_certfile": str(folder / "text")}, "ssl_certfile", "PEM file with a certificate"),
        (lambda folder: {"ssl_keyfile": str(folder / "authority/two.key")}, "ssl_keyfile", "one.pem"),
        (lambda folder: {"ssl_keyfile": str(folder / "authority/one.encrypted.key")}, "ssl_key_password_file", "none"),
        (
            lambda folder: {
                "ssl_keyfile": str(folder / "authority/one.encrypted.key"),
                "ssl_key_password": Secret(f"not-{PASSWORD}"),
            },
            "ssl_key_password_file",
            "a wrong password",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    authority: Authority, tmp_path: Path, change: Callable[[Path], dict[str, Any]], name: str, told: str
) -> None:
    """With what it takes; neither the error nor its traceback shows a password."""
    authority.encrypt_key("one", PASSWORD)
    (tmp_path / "text").write_text("not a certificate\n")
    with pytest.raises(SettingsError) as caught:
        context(**certificate(authority, **change(tmp_path)))
    assert caught.value.name == name
    assert told in str(caught.value)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
