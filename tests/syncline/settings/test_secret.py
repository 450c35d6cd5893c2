"""syncline/settings/secret.py: a password that nothing prints by accident."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable

import msgspec
import pytest

from syncline.settings.secret import Secret

PASSWORD = "hunter2"  # noqa: S105


class Holder(msgspec.Struct, frozen=True):
    password: Secret = Secret()


@pytest.mark.parametrize(
    "show",
    [repr, str, "{}".format, "{!r}".format, lambda secret: f"{secret}", lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
     lambda secret: repr(Holder(secret)), lambda secret: str([secret]), lambda secret: str(ValueError(secret))],
)  # fmt: skip
def test_no_way_of_printing_shows_it(show: Callable[[Secret], str]) -> None:
    """A mask instead, in whatever it is wrapped."""
    shown = show(Secret(PASSWORD))
    assert PASSWORD not in shown
    assert "***" in shown


def test_logging_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    """As an argument of a log line."""
    logging.getLogger("t").warning("password %s", Secret(PASSWORD))
    assert caplog.messages == ["password ***"]


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode, msgspec.msgpack.encode])
def test_it_is_carried_nowhere(carry: Callable[[Secret], object]) -> None:
    """Nobody stores it by storing what holds it."""
    with pytest.raises(TypeError) as caught:
        carry(Secret(PASSWORD))
    assert PASSWORD not in str(caught.value)


def test_who_asks_gets_it() -> None:
    """And an empty one is false, and is seen to be empty."""
    assert Secret(PASSWORD).reveal() == PASSWORD
    assert (bool(Secret()), repr(Secret())) == (False, "''")


def test_equal_secrets_are_equal() -> None:
    """As settings need it; a text is no secret."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
