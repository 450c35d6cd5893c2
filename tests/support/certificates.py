"""Certificates made on the spot: an authority, servers' and clients' certificates, and what can be wrong with them."""

from __future__ import annotations

import datetime
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

YESTERDAY = datetime.timedelta(days=-1)


class Authority:
    """Issues certificates as PEM files in `folder`: `ca.pem` is its own, NAME.pem a certificate, NAME.key its key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, name: str, *identities: str, ends_in: datetime.timedelta | None = None) -> Path:
        """A certificate for host names or addresses, `name` is its common name; returns the file of it and its key.

        ends_in: from now; negative for one that has expired. Kafka's PEM keystores want the key in PKCS#8.
        """
        now = datetime.datetime.now(datetime.UTC)
        ends = None if ends_in is None else now + ends_in
        begins = None if ends is None else ends - datetime.timedelta(days=2)
        leaf = self._ca.issue_cert(*identities, common_name=name, not_before=begins, not_after=ends)
        key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate_pem = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        (self._folder / f"{name}.pem").write_bytes(certificate_pem)
        self.key_of(name).write_bytes(key_pem)
        self.both_of(name).write_bytes(key_pem + certificate_pem)
        return self.both_of(name)

    def both_of(self, name: str) -> Path:
        """File of key and certificate together."""
        return self._folder / f"{name}.both.pem"

    def certificate_of(self, name: str) -> Path:
        """File of an issued certificate alone."""
        return self._folder / f"{name}.pem"

    def key_of(self, name: str) -> Path:
        """File of its key alone."""
        return self._folder / f"{name}.key"

    def encrypt_key(self, name: str, password: str) -> Path:
        """File of its key under a password."""
        key = serialization.load_pem_private_key(self.key_of(name).read_bytes(), None)
        path = self._folder / f"{name}.encrypted.key"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
        )
        return path
