"""`syncline.wire.contract` against docs/contract.md: names are in both or in neither."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncline.wire import contract
from syncline.wire.arrays import DTYPES
from syncline.wire.converted import ConvertedAudio, ConvertedText
from syncline.wire.results import FusedResult, ResultMember, Unfused

TEXT = (Path(__file__).parents[3] / "docs" / "contract.md").read_text(encoding="utf-8")
HEADERS = {value for name, value in vars(contract).items() if name.startswith("H_")}


def test_every_reason_is_documented_as_it_is_in_code() -> None:
    """The tables of reasons are the code's, word for word."""
    section = TEXT.split("## Unfused and dead letters")[1]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE))
    assert rows == contract.UNFUSED_REASONS | contract.REASONS


@pytest.mark.parametrize("name", [*contract.ALL_TOPICS, *HEADERS, *contract.MEDIA_TYPES.values(), *DTYPES])
def test_every_name_is_documented(name: str) -> None:
    """Topics, headers, types and dtypes all stand in the page."""
    assert name in TEXT


@pytest.mark.parametrize(
    "kind", [FusedResult, ConvertedText, ConvertedAudio, Unfused, ResultMember], ids=lambda kind: kind.__name__
)
def test_every_field_is_documented(kind: type) -> None:
    """Each field of each value stands in the page."""
    assert [name for name in kind.__struct_fields__ if f"`{name}`" not in TEXT] == []  # type: ignore[attr-defined]


def test_every_content_type_is_documented() -> None:
    """What the worker takes is what the page promises."""
    assert all(f"`{name}`" in TEXT for names in contract.CONTENT_TYPES.values() for name in names)


def test_the_prefix_and_the_topics_are_fixed() -> None:
    """Other clients have these names in their code."""
    assert contract.DEFAULT_PREFIX == "syncline."
    assert tuple(map(contract.media_topic, contract.MODALITIES)) == contract.MEDIA_TOPICS
    assert len(set(contract.ALL_TOPICS)) == 9
