"""The options that every command which talks to a broker has: how to get in."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

from syncline.cli import main
from syncline.cli.root import existing, load
from syncline.kafka.security import SecuritySettings

WITHOUT_A_CLIENT = {("topics", "acls")}
"""Commands that name a broker and do not talk to it."""
PASSWORD = "hunter2"  # noqa: S105


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a command that must not print to stdout."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert out.getvalue() == ""
    return int(caught.value.code or 0), err.getvalue()


def talking() -> list[tuple[str, ...]]:
    """Every command that takes the address of a broker."""
    commands: list[tuple[str, ...]] = []
    for name in existing():
        parser = load(name)
        commands += [(name, inner) for inner in parser.commands] if hasattr(parser, "commands") else [(name,)]
    return [command for command in commands if "brokers" in options(command) and command not in WITHOUT_A_CLIENT]


def options(command: tuple[str, ...]) -> dict[str, Any]:
    """Options of a command by name."""
    return {option.name: option for option in load_command(command).params}


def load_command(command: tuple[str, ...]) -> Any:
    """A command's parser."""
    parser = load(command[0])
    for name in command[1:]:
        parser = parser.commands[name]
    return parser


@pytest.mark.parametrize("command", talking(), ids=" ".join)
def test_every_command_has_every_security_setting(command: tuple[str, ...]) -> None:
    """With a line of help; the passwords' own are hidden, because they only say why they are refused."""
    shown = options(command)
    for name in SecuritySettings.__struct_fields__:
        assert shown[name].help
        assert shown[name].hidden == name.endswith("password")


@pytest.mark.parametrize("command", talking(), ids=" ".join)
def test_a_password_on_the_command_line_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    """`ps` shows command lines to everybody; the error says what to use, and not the password."""
    (tmp_path / "0").write_text("")
    needed = [option for option in load_command(command).params if option.required]
    given: list[str] = []
    for option in needed:
        given += option.opts[:1] if option.param_type_name == "option" else []
        given.append(str(tmp_path / "0") if option.name == "manifest" else "1")
    code, err = run(*command, *given, "--sasl-password", PASSWORD)
    assert code == 2
    assert "sasl_password_file" in err
    assert PASSWORD not in err


@pytest.mark.parametrize("arguments", [["worker"], ["topics", "check"], ["consume"]], ids=" ".join)
def test_sasl_without_tls_is_refused(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line and exit code 2, before anything is sent."""
    monkeypatch.setenv("SYNCLINE_SASL_PASSWORD", PASSWORD)
    code, err = run(*arguments, "--security-protocol", "SASL_PLAINTEXT", "--sasl-username", "w")
    assert code == 2
    assert err.count("\n") == 1
    assert "allow_sasl_without_tls" in err


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the error says which of them was wrong."""
    monkeypatch.setenv("SYNCLINE_SECURITY_PROTOCOL", "TLS")
    code, err = run("topics", "check")
    assert code == 2
    assert "security_protocol (SYNCLINE_SECURITY_PROTOCOL): got 'TLS', takes PLAINTEXT, SSL" in err


@pytest.mark.parametrize("arguments", [["worker"], ["topics", "check"], ["consume"]], ids=" ".join)
def test_an_address_with_a_password_is_refused(arguments: list[str]) -> None:
    """Without showing it."""
    code, err = run(*arguments, "--brokers", f"kafka://user:{PASSWORD}@broker:9092")
    assert code == 2
    assert "sasl_username" in err
    assert PASSWORD not in err
