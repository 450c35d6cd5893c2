"""Writes docs/settings.md and syncline.example.toml from the settings' own definitions: `make settings`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streams.settings import WorkerSettings
from syncline.kafka.settings import ClientSettings
from syncline.settings.definition import LISTS, Setting, as_text, settings_of, takes

ROOT = Path(__file__).parents[1]
TABLE, EXAMPLE = ROOT / "docs" / "settings.md", ROOT / "syncline.example.toml"
HEAD = """# Settings

Made by `make settings` from the definitions in the code: change them there.

A setting is a flag of the command, a variable, or a line of `syncline.toml` in the working directory (or the file that
`--config` or `SYNCLINE_CONFIG` names); a flag goes before a variable, and that before the file. All commands read the
same file and variables, and each takes what it needs. Lists are `A,B`, maps `KEY=VALUE,KEY=VALUE`, maps to lists
`KEY=A,B;KEY=C`; in the file they are TOML's own. `syncline worker --show-config` prints every value and where it came
from. [syncline.example.toml](../syncline.example.toml) is a file with all of them.

The flag of `topic_prefix` is `--topic-prefix`, its variable `SYNCLINE_TOPIC_PREFIX`; all others likewise, without the
table's name.
"""
EXAMPLE_HEAD = """# All settings with their defaults, made by `make settings`. Copy this file to syncline.toml, and take
# the # away from the settings that you change. What each means with its flag and variable: docs/settings.md.
"""


def sections() -> Iterator[tuple[str, str, list[Setting]]]:
    """Title, name of the table and settings of each section, in the order of the file: tables stand at its end."""
    of_all = set(ClientSettings.__struct_fields__)
    settings = settings_of(WorkerSettings)
    plain = [setting for setting in settings if len(setting.path) == 1]
    yield "Every command", "", [setting for setting in plain if setting.name in of_all]
    yield "The worker", "", [setting for setting in plain if setting.name not in of_all]
    yield "The join: worker and verify", "join", [setting for setting in settings if setting.path[0] == "join"]
    tls = [setting for setting in settings if setting.path[0] == "security"]
    yield "TLS and passwords: every command", "security", tls


def markdown() -> str:
    """docs/settings.md."""
    lines = [HEAD]
    for title, table, settings in sections():
        lines += [f"## {title}", ""]
        if table:
            lines += [f"In `syncline.toml` below `[{table}]`.", ""]
        lines += ["| setting | takes | default | what it is |", "|---|---|---|---|"]
        lines += [_row(setting) for setting in settings]
        lines.append("")
    return "\n".join(lines)


def _row(setting: Setting) -> str:
    what = setting.help
    if setting.example is not None:
        what += f" Example: `{as_text(setting.example)}`."
    default = as_text(setting.default)
    cells = (f"`{setting.name}`", takes(setting.type), f"`{default}`" if default else "none", what)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def example() -> str:
    """syncline.example.toml: every line of it that sets something is commented out."""
    lines = [EXAMPLE_HEAD]
    for title, table, settings in sections():
        lines += [f"# ---- {title} ----", *([f"[{table}]"] if table else []), ""]
        for setting in settings:
            lines += _lines(setting)
    return "\n".join(lines).rstrip() + "\n"


def _lines(setting: Setting) -> list[str]:
    if setting.is_secret:
        return [f"# {setting.name} is taken from {setting.variable} alone.", ""]
    lines = [f"# {setting.help} Takes {takes(setting.type)}."]
    if setting.example is not None:
        lines.append(f"# Example: {setting.name} = {_toml(setting.example)}")
    return [*lines, f"#{setting.name} = {_toml(setting.default)}", ""]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, LISTS):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write both."""
    TABLE.write_text(markdown(), encoding="utf-8")
    EXAMPLE.write_text(example(), encoding="utf-8")


if __name__ == "__main__":
    main()
