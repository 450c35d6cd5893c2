"""flite's timing is read as frames that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.synthesis.teacher import frames_of, read_timing


def test_timing_is_read() -> None:
    """`phone:end` pairs; a second line is a second utterance, whose ends begin anew."""
    assert read_timing("pau:0.164 hh:0.255 pau:0.5 \npau:0.1 ax:0.2 \n") == (
        ["pau", "hh", "pau", "pau", "ax"],
        [0.164, 0.255, 0.5, 0.6, pytest.approx(0.7)],
    )


@given(st.lists(st.floats(0.001, 0.4), min_size=1, max_size=40), st.integers(0, 3))
def test_frames_add_up(lasts_s: list[float], over: int) -> None:
    """Whatever the ends: a frame at least for each phone, and all together as many as the sound has."""
    ends_s = [sum(lasts_s[: i + 1]) for i in range(len(lasts_s))]
    n_frames = len(lasts_s) + int(ends_s[-1] * 80) + over
    frames = frames_of(ends_s, n_frames)
    assert len(frames) == len(lasts_s)
    assert min(frames) >= 1
    assert sum(frames) == n_frames
