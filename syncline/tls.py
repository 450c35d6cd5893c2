"""The TLS context of our clients: built here, so that nobody's default decides what is checked."""

from __future__ import annotations

import ssl

from syncline.errors import SettingsError
from syncline.security import SecuritySettings


def client_context(settings: SecuritySettings) -> ssl.SSLContext:
    """TLS 1.2 or newer; the broker's certificate, and its name unless told otherwise, are checked.

    Raises `SettingsError` that names the file which cannot be used.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.ssl_cafile or None)
    except OSError as error:  # ssl.SSLError is one
        takes = f"a readable PEM file with certificates of authorities ({_reason(error)})"
        raise SettingsError("ssl_cafile", settings.ssl_cafile, takes) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = settings.ssl_check_hostname
    context.verify_mode = ssl.CERT_REQUIRED
    if settings.ssl_certfile:
        _load_certificate(context, settings)
    return context


def _load_certificate(context: ssl.SSLContext, settings: SecuritySettings) -> None:
    password = settings.read_secret("ssl_key_password").reveal()
    asked: list[bool] = []

    def on_asked() -> str:  # without a callback OpenSSL would ask on the terminal, and wait there
        asked.append(True)
        return password

    certfile, keyfile = settings.ssl_certfile, settings.ssl_keyfile or settings.ssl_certfile
    for name, path in (("ssl_certfile", certfile), ("ssl_keyfile", keyfile)):
        _check_readable(name, path)
    try:
        context.load_cert_chain(certfile, keyfile, on_asked)
    except (OSError, ValueError) as error:
        if asked:
            raise SettingsError("ssl_key_password_file", *_wrong_password(keyfile, bool(password))) from None
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            takes = f"the key of the certificate in {certfile}"
            raise SettingsError("ssl_keyfile", keyfile, takes) from error
        takes = f"a PEM file with a certificate; its key in it or in ssl_keyfile ({_reason(error)})"
        raise SettingsError("ssl_certfile", certfile, takes) from error


def _wrong_password(keyfile: str, given: bool) -> tuple[str, str]:
    return ("a wrong password" if given else "none"), f"a file with the password of the key in {keyfile}"


def _check_readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):
            return
    except OSError as error:
        raise SettingsError(name, path, f"a readable PEM file ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
