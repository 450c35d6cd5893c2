"""docs/security.md against the code: rights, and the tests that it names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from syncline.kafka.authorization import NEEDS, Need, Role, commands, needs_of
from syncline.wire.contract import ALL_TOPICS, DEFAULT_GROUP, MEDIA_TOPICS, RESULT_TOPICS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()
SHORT = {ALL_TOPICS: "all topics", MEDIA_TOPICS: "`media.*`", RESULT_TOPICS: "all topics of results"}
NAMED = {"group": "the group", "transactional-id": "the transactional id"}


def rows(n_cells: int) -> list[list[str]]:
    """Cells of the rows of all tables that have so many."""
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines() if line[:2] == "| "]
    return [row for row in found if len(row) == n_cells]


def test_the_rights_are_those_of_the_table_in_the_code() -> None:
    """Row by row."""
    wanted = [[need.role, need.operation, _in_words(need), need.why] for need in NEEDS]
    operations = {need.operation for need in NEEDS}
    assert [row for row in rows(4) if row[0] in get_args(Role) and row[1] in operations] == wanted


def _in_words(need: Need) -> str:
    return NAMED.get(need.resource) or SHORT.get(need.topics) or ", ".join(f"`{topic}`" for topic in need.topics)


@pytest.mark.parametrize("role", get_args(Role))
def test_the_lines_are_those_that_the_command_prints(role: Role) -> None:
    """Which tests/security/test_acls.py runs; here for the default names."""
    joined = re.sub(r" \\\n +", " ", TEXT)
    listed = [line for line in joined.splitlines() if line.startswith("kafka-acls.sh") and f"User:{role} " in line]
    group = "" if role == "consumer" else DEFAULT_GROUP
    assert listed == commands(needs_of(role), user=role, group=group)


def test_the_tests_that_it_names_are_there() -> None:
    """A measure without a test is a wish."""
    named = re.findall(r"`((?:tests|test_)[\w/.]*)`", TEXT)
    assert len(named) > 10
    assert [name for name in named if not any((ROOT / place / name).exists() for place in ("", "tests/security"))] == []
