"""Laws of `syncline.settings.config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.join.settings import JoinSettings
from syncline.errors import SettingsError
from syncline.settings.config import Loaded, convert, load_settings


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    size_ms: int = 1000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    brokers: str = "localhost:9092"
    join: JoinSettings = JoinSettings(tolerance_ms=40)
    web_port: int | None = None
    quiet: bool = False
    level: Literal["info", "debug"] = "info"


class Ambiguous(msgspec.Struct, frozen=True, kw_only=True):
    inner: Inner = Inner()
    join: JoinSettings = JoinSettings()


class Plain(msgspec.Struct, frozen=True, kw_only=True):
    brokers: str
    inner: Inner = Inner()


def load(tmp_path: Path, toml: str = "", environment: dict[str, str] | None = None, **flags: Any) -> Loaded[Settings]:
    file = tmp_path / "syncline.toml"
    file.write_text(toml, encoding="utf-8")
    return load_settings(Settings, flags=flags, environment=environment or {}, file=file)


def test_flags_win_over_variables_win_over_the_file_wins_over_defaults(tmp_path: Path) -> None:
    """The nearer to the person who types, the stronger; each setting says where it came from."""
    toml = 'brokers = "file:1"\nquiet = true\nlevel = "debug"\n'
    variables = {"SYNCLINE_BROKERS": "variable:1", "SYNCLINE_QUIET": "false"}
    loaded = load(tmp_path, toml, variables, brokers="flag:1", web_port=None)
    settings = loaded.settings
    assert (settings.brokers, settings.quiet, settings.level, settings.web_port) == ("flag:1", False, "debug", None)
    assert loaded.sources["brokers"] == "flag --brokers"
    assert loaded.sources["quiet"] == "SYNCLINE_QUIET"
    assert loaded.sources["level"].endswith("syncline.toml")
    assert loaded.sources["web_port"] == "default"


def test_nested_settings_from_every_source(tmp_path: Path) -> None:
    """Lists and maps of the join come from a table, from variables and from flags."""
    toml = '[join]\nlanes = ["left:image", "right:image", "text"]\npivot = "left"\n[join.offset_ms]\nleft = -5\n'
    variables = {
        "SYNCLINE_OUT_OF_ORDER_MS": "left=100, text=50",
        "SYNCLINE_LANES_BY_STREAM": "lobby-*=image,text; hall=left:image",
    }
    settings = load(tmp_path, toml, variables, require="left,text").settings.join
    assert settings.lanes == ("left:image", "right:image", "text")
    assert settings.offset_ms == {"left": -5}
    assert settings.out_of_order_ms == {"left": 100, "text": 50}
    assert settings.lanes_by_stream == {"lobby-*": ("image", "text"), "hall": ("left:image",)}
    assert settings.require == ("left", "text")


def test_a_nested_default_keeps_what_is_not_given(tmp_path: Path) -> None:
    """One setting of a table does not reset its neighbours to the Struct's own defaults."""
    settings = load(tmp_path, "[join]\nmax_wait_ms = 7\n").settings.join
    assert (settings.max_wait_ms, settings.tolerance_ms) == (7, 40)


@pytest.mark.parametrize(
    ("toml", "variables", "flags", "parts"),
    [
        ("", {}, {"tolerance_ms": "x"}, ["join.tolerance_ms", "flag --tolerance-ms", "'x'", "an integer"]),
        ("", {}, {"tolerance_ms": True}, ["join.tolerance_ms", "True", "an integer"]),
        ("", {}, {"tolerance_ms": -1}, ["join.tolerance_ms", "flag --tolerance-ms", "-1", "at least 0"]),
        ("", {}, {"tolerence_ms": 1}, ["--tolerence-ms", "is tolerance_ms meant?"]),
        ("", {"SYNCLINE_LEVEL": "loud"}, {}, ["level", "SYNCLINE_LEVEL", "'loud'", "info, debug"]),
        ("", {"SYNCLINE_LANES": "smell"}, {}, ["join.lanes", "SYNCLINE_LANES", "'smell'", "image, text, audio"]),
        ("", {"SYNCLINE_OUT_OF_ORDER_MS": "image"}, {}, ["SYNCLINE_OUT_OF_ORDER_MS", "'image'", "KEY=VALUE"]),
        ("", {"SYNCLINE_OUT_OF_ORDER_MS": "image=1,image=2"}, {}, ["'image' is given twice"]),
        ("", {"SYNCLINE_OUT_OF_ORDER_MS": "image=-1"}, {}, ["join.out_of_order_ms.image (SYNCLINE_OUT_OF_ORDER_MS)"]),
        ("", {"SYNCLINE_BROKRES": "x"}, {}, ["SYNCLINE_BROKRES", "is SYNCLINE_BROKERS meant?"]),
        ("brokres = 1", {}, {}, ["brokres", "syncline.toml", "is brokers meant?"]),
        ("brokers = 1", {}, {}, ["brokers", "syncline.toml", "got 1", "text"]),
        ("join = 1", {}, {}, ["join", "syncline.toml", "a table: [join]"]),
        ("[join]\nlane = 1", {}, {}, ["join.lane", "is lanes meant?"]),
        ("brokers = ", {}, {}, ["config file", "syncline.toml", "a TOML file"]),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, toml: str, variables: dict[str, str], flags: dict[str, Any], parts: list[str]
) -> None:
    """An error names the setting, where it came from, what it got and what it takes."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, toml, variables, **flags)
    for part in parts:
        assert part in str(caught.value)


def test_a_required_setting_must_be_given(tmp_path: Path) -> None:
    """Nothing is made up for a setting without default."""
    file = tmp_path / "empty.toml"
    file.touch()
    with pytest.raises(SettingsError, match="brokers: got None, takes text"):
        load_settings(Plain, environment={}, file=file)
    assert load_settings(Plain, environment={"SYNCLINE_BROKERS": "b:1"}, file=file).settings.brokers == "b:1"


def test_a_config_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """A file that is named by flag or variable and is not there is an error; the usual one may be missing."""
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_settings(Inner, environment={"SYNCLINE_CONFIG": str(tmp_path / "nowhere.toml")})


def test_the_file_in_this_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a flag or variable, syncline.toml in the working directory counts."""
    monkeypatch.chdir(tmp_path)
    assert load_settings(Inner, environment={}).settings == Inner()
    (tmp_path / "syncline.toml").write_text("size_ms = 5\n")
    assert load_settings(Inner, environment={}).settings.size_ms == 5


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    """What Kubernetes sets for a service named syncline, and what the caller excludes, is no error."""
    file = tmp_path / "empty.toml"
    file.touch()
    variables = {"SYNCLINE_PORT": "tcp://10.0.0.1", "SYNCLINE_KAFKA_SERVICE_HOST": "10.0.0.1", "SYNCLINE_X": "1"}
    load_settings(Inner, environment=variables, file=file, is_others=lambda path: path == ("x",))


def test_a_file_may_hold_what_other_commands_read(tmp_path: Path) -> None:
    """Keys and tables that somebody else says are theirs are left alone; a misspelt one is an error still."""
    file = tmp_path / "syncline.toml"
    file.write_text("size_ms = 5\nmodel = 1\n[join]\nlanes = 7\n")
    others = {("model",), ("join",)}
    assert load_settings(Inner, environment={}, file=file, is_others=others.__contains__).settings.size_ms == 5
    with pytest.raises(SettingsError, match="model"):
        load_settings(Inner, environment={}, file=file, is_others=[("join",)].__contains__)


def test_lines_show_every_setting_with_its_source(tmp_path: Path) -> None:
    """What `--show-config` prints: one line a setting."""
    lines = load(tmp_path, "", {"SYNCLINE_QUIET": "1"}).lines()
    assert any(line.startswith("quiet ") and "True" in line and "(SYNCLINE_QUIET)" in line for line in lines)
    assert any(line.startswith("join.tolerance_ms ") and " 40 " in line and "(default)" in line for line in lines)


def test_two_settings_of_one_name_are_the_programmers_mistake() -> None:
    """Flags and variables name fields without their table, so names must be unique."""
    with pytest.raises(TypeError, match="size_ms"):
        load_settings(Ambiguous, environment={})


@given(st.dictionaries(st.from_regex(r"[a-z*-]{1,8}", fullmatch=True), st.integers(), max_size=4))
def test_maps_come_back_from_text(values: dict[str, int]) -> None:
    """A map of numbers written as KEY=VALUE,KEY=VALUE is that map."""
    assert convert(",".join(f"{key}={value}" for key, value in values.items()), dict[str, int]) == values


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("", tuple[str, ...], ()),
        ("a, b,", tuple[str, ...], ("a", "b")),
        ("", int | None, None),
        (" 5 ", int | None, 5),
        ("1e3", float, 1000.0),
        ("true", bool, True),
        ("0", bool, False),
        ("a=1;b=2,3", dict[str, tuple[int, ...]], {"a": (1,), "b": (2, 3)}),
    ],
)
def test_text_becomes_what_the_setting_takes(text: str, kind: Any, value: object) -> None:
    """Flags and variables are text; lists, maps, numbers and none are written as documented."""
    assert convert(text, kind) == value
