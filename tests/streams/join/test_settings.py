"""Settings of the join: what is refused, and which lanes a stream has."""

from __future__ import annotations

from typing import Any

import pytest

from streams.join.settings import JoinSettings
from syncline.errors import SettingsError


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lanes": ("video",)}, "lanes: got 'video', takes LANE or LANE:MODALITY"),
        ({"lanes": ()}, "lanes: got '', takes at least one lane"),
        ({"lanes": ("text", "text")}, "lanes: got 'text', takes each lane once"),
        ({"tolerance_ms": -1}, "tolerance_ms: got -1, takes an integer of at least 0"),
        ({"max_wait_ms": 0}, "max_wait_ms: got 0, takes an integer of at least 1"),
        ({"out_of_order_ms": {"text": -5}}, "out_of_order_ms.text: got -5"),
        ({"out_of_order_ms": {"left": 5}}, "out_of_order_ms: got 'left', takes one of the lanes audio, image, text"),
        ({"lanes": tuple(f"{n}:text" for n in range(257))}, "lanes: got '257 lanes', takes at most 256"),
        ({"max_set_bytes": 0}, "max_set_bytes: got 0, takes an integer from 1 to 400000"),
        ({"max_set_bytes": 400_001}, "max_set_bytes: got 400001, takes an integer from 1 to 400000"),
        ({"require": ("smell",)}, "require: got 'smell', takes one of the lanes"),
        ({"strategy": "nearest", "pivot": "left"}, "pivot: got 'left', takes one of the lanes image, text, audio"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes(wrong: dict[str, Any], message: str) -> None:
    """The error says which setting, what it got and what it takes."""
    with pytest.raises(SettingsError) as raised:
        JoinSettings(**wrong)
    assert message in str(raised.value)


def test_the_first_matching_pattern_says_the_lanes() -> None:
    """In the order of the setting; else the default lanes."""
    settings = JoinSettings(lanes_by_stream={"lobby-*": ("left:image", "text"), "*": ("text",)})
    assert settings.lane_names_of("lobby-1") == ("left:image", "text")
    assert [(lane.name, lane.modality) for lane in settings.lanes_of("lobby-1")] == [
        ("left", "image"),
        ("text", "text"),
    ]
    assert settings.lane_names_of("hall") == ("text",)
