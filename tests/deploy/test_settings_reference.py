"""docs/settings.md and syncline.example.toml say what the definitions say."""

from __future__ import annotations

import re
from pathlib import Path

from deploy import settings_reference
from streams.settings import WorkerSettings
from syncline.settings.config import load_settings
from syncline.settings.definition import settings_of


def test_the_written_pages_are_what_the_definitions_say() -> None:
    """Where this fails: `make settings`, and commit what it wrote."""
    assert settings_reference.TABLE.read_text(encoding="utf-8") == settings_reference.markdown()
    assert settings_reference.EXAMPLE.read_text(encoding="utf-8") == settings_reference.example()


def test_the_example_as_it_is_changes_nothing() -> None:
    """Whoever copies it has the defaults."""
    loaded = load_settings(WorkerSettings, environment={}, file=settings_reference.EXAMPLE)
    assert set(loaded.sources.values()) == {"default"}


def test_the_example_with_every_setting_uncommented_gives_the_defaults(tmp_path: Path) -> None:
    """Every line is right as it stands, and none is missing but the passwords."""
    file = tmp_path / "syncline.toml"
    file.write_text(re.sub(r"(?m)^#(?=\w+ =)", "", settings_reference.example()), encoding="utf-8")
    loaded = load_settings(WorkerSettings, environment={}, file=file)
    assert loaded.settings == WorkerSettings()
    left = [key for key, source in loaded.sources.items() if source == "default"]
    assert left == [setting.key for setting in settings_of(WorkerSettings) if setting.is_secret]
