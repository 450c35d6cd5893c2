"""Laws of `syncline.settings.definition`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from syncline.errors import SettingsError
from syncline.settings.config import convert
from syncline.settings.definition import NotEmpty, as_text, check_ranges, settings_of, takes
from syncline.settings.secret import Secret

Port = Annotated[int, Meta(ge=0, le=65_535, description="Its port.")]


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    size_ms: Annotated[int, Meta(ge=1, description="How long.")] = 1_000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    port: Port = 0
    name: Annotated[str, NotEmpty] = "a"
    level: Literal["info", "debug"] = "info"
    ratio: Annotated[float, Meta(ge=0)] = 0.5
    lanes: tuple[str, ...] = ()
    by_lane: Annotated[dict[str, Annotated[int, Meta(ge=0)]], Meta(examples=[{"left": 5}])] = {}
    password: Annotated[Secret, Meta(description="Said to nobody.")] = Secret()
    inner: Inner = Inner(size_ms=7)

    def __post_init__(self) -> None:
        check_ranges(self)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"port": -1}, "port: got -1, takes an integer from 0 to 65535"),
        ({"port": 65_536}, "port: got 65536, takes an integer from 0 to 65535"),
        ({"port": "80"}, "port: got '80', takes an integer from 0 to 65535"),
        ({"port": True}, "port: got True, takes an integer from 0 to 65535"),
        ({"name": " "}, "name: got ' ', takes text that is not empty"),
        ({"level": "loud"}, "level: got 'loud', takes info, debug"),
        ({"ratio": -0.1}, "ratio: got -0.1, takes a number of at least 0"),
        ({"lanes": (1,)}, "lanes: got (1,), takes a list of text: A,B"),
        ({"by_lane": {"left": -5}}, "by_lane.left: got -5, takes an integer of at least 0"),
        ({"password": "hunter2"}, "password: got ***, takes a Secret: Secret(text)"),
    ],
)
def test_a_value_out_of_its_range_is_named_with_what_it_takes(wrong: dict[str, Any], message: str) -> None:
    """Whoever makes the Struct: a program, the loader, a test."""
    with pytest.raises(SettingsError) as caught:
        Settings(**wrong)
    assert str(caught.value) == message


def test_a_setting_is_what_its_field_says() -> None:
    """Name, table, default, help, unit, example: nothing of it stands elsewhere."""
    found = {setting.key: setting for setting in settings_of(Settings)}
    port, size = found["port"], found["inner.size_ms"]
    assert (port.flag, port.variable, port.default, port.help) == ("--port", "SYNCLINE_PORT", 0, "Its port.")
    assert (port.range, port.unit, size.range, size.unit) == ("from 0 to 65535", "", "at least 1", "ms")
    assert size.default == 7  # the outer Struct's, before the field's own
    assert found["by_lane"].example == {"left": 5}
    assert [key for key, setting in found.items() if setting.is_secret] == ["password"]


def test_what_a_type_takes_is_said_in_words() -> None:
    """For errors and for tables."""
    assert takes(int | None) == "an integer or none"
    assert takes(dict[str, tuple[str, ...]]) == "a map to a list of text: KEY=A,B;KEY=C"


_names = st.from_regex(r"[a-z*-]{1,8}", fullmatch=True)


@given(st.one_of(
    st.tuples(st.just(dict[str, int]), st.dictionaries(_names, st.integers(), max_size=4)),
    st.tuples(st.just(tuple[str, ...]), st.lists(_names, max_size=4).map(tuple)),
    st.tuples(st.just(dict[str, tuple[str, ...]]),
              st.dictionaries(_names, st.lists(_names, min_size=1, max_size=3).map(tuple), max_size=3)),
    st.tuples(st.just(bool), st.booleans()),
    st.tuples(st.just(int), st.integers(-2**62, 2**62)),
))  # fmt: skip
def test_a_value_comes_back_from_its_text(case: tuple[Any, Any]) -> None:
    """What help and tables show can be typed as it stands."""
    kind, value = case
    assert convert(as_text(value), kind) == value
