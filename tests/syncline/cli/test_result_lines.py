"""Laws of `syncline.cli.result_lines`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.cli.result_lines import human_line, json_line
from syncline.consumer import Received, Result
from syncline.wire.deadletters import DeadLetter
from tests.support.contract import example_converted, example_fused, example_speech, example_unfused

LETTER = DeadLetter(
    id="media.image/0/1", reason="bad_time", detail="got 'x'", topic="media.image", partition=0, offset=1, key=b"k",
    data=b"\xff",
)  # fmt: skip
COMPLETE = example_fused(outcome="complete", reason="complete", missing=())
REFUSED = example_speech(data=b"", reason="language", detail="got 'zh'")
RESULTS = [example_fused(), example_converted(), example_speech(), example_unfused(), LETTER]


def received(result: Result) -> Received:
    return Received(result, "results.fused", 1, 2, 3)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_every_result_is_one_line_either_way(result: Result) -> None:
    """Lines can be counted, and JSON lines read."""
    assert "\n" not in human_line(received(result))
    assert json.loads(json_line(received(result)))["result"]["id"] == result.id


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (COMPLETE, "00:00:01.000  lobby  complete  image+text  cat 0.75, dog 0.25"),
        (example_converted(), "00:00:01.000  lobby  image caption  0.50  a cat"),
        (example_speech(), "00:00:01.000  lobby  text speech  750 ms  audio/flac, 4 bytes"),
        (REFUSED, "00:00:01.000  lobby  text speech  none: language  got 'zh'"),
        (example_unfused(), "00:00:00.900  lobby  late by 100 ms  text  media.text/1/9"),
        (LETTER, "media.image/0/1  bad_time  got 'x'"),
    ],
    ids=["fused", "caption", "speech", "refused", "unfused", "deadletter"],
)
def test_lines_for_people(result: Result, line: str) -> None:
    """When, which stream, what became of it, and what was found."""
    assert human_line(received(result)) == line


@given(st.text())
def test_nothing_in_a_result_reaches_the_terminal_as_a_command(text: str) -> None:
    """Labels and streams come from strangers: control characters are replaced."""
    assert human_line(received(example_fused(stream=text, labels=((text, 0.5),)))).isprintable()
