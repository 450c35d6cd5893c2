"""What was written down is compared with what was to be said, made alike first."""

from __future__ import annotations

import pytest

from models.training.synthesis.evaluate import (
    BARS,
    Score,
    VoiceReport,
    as_text,
    bootstrap,
    comparable,
    word_error_rate,
    word_errors,
)
from models.training.synthesis.samples import STUDENT, STUDENT_OF_PHONES, TEACHER
from models.training.synthesis.spelling import edit_distance


@pytest.mark.parametrize(
    ("written", "said", "errors"),
    [
        ("The grey cat sat.", "the gray cat, sat!", (0, 4)),
        ("In 1999 Dr. Smith paid $5", "in nineteen ninety nine doctor smith paid five dollars", (0, 9)),
        ("the cat", "the fat cat", (1, 3)),
        ("a cat sat down", "the cat sat", (2, 3)),
        ("[music] hello (applause)", "Hello.", (0, 1)),
        ("", "Hello there.", (2, 2)),
    ],
)
def test_word_errors(written: str, said: str, errors: tuple[int, int]) -> None:
    """Case, punctuation, figures and British spellings are no errors; a word left out, added or replaced is one."""
    assert word_errors(written, said) == errors


def test_words_are_compared_without_pauses() -> None:
    """Letters lose their stop, pauses are no words."""
    assert comparable("F.B.I., yes") == ["f", "b", "i", "yes"]


def test_rate_is_over_all_words() -> None:
    """A long sentence weighs more than a short one."""
    assert word_error_rate([(1, 1), (0, 9)]) == pytest.approx(0.1)


def test_edit_distance() -> None:
    """The fewest insertions, deletions and replacements."""
    assert [edit_distance(*pair) for pair in (("", ""), ("abc", ""), ("kitten", "sitting"), ("abc", "abc"))] == [
        0,
        3,
        3,
        0,
    ]


def test_intervals_hold_the_score() -> None:
    """A speaker as good as the teacher is 1 of it in every draw; a worse one less, with the score in its interval."""
    teacher, worse = [(1, 10)] * 50, [(i % 4, 10) for i in range(50)]
    assert bootstrap(teacher, teacher) == ((0.9, 0.9), (1.0, 1.0))
    (low, high), (rlow, rhigh) = bootstrap(worse, teacher)
    assert low < 1 - sum(i % 4 for i in range(50)) / 500 < high
    assert rlow < rhigh < 1


def test_report_says_which_bars_are_missed() -> None:
    """The table has a line for each speaker and a verdict for each bar; one missed bar fails the whole."""

    def scores(of_student: float) -> list[Score]:
        relative = {TEACHER: 1.0, STUDENT_OF_PHONES: 0.96, STUDENT: of_student}
        return [
            Score("text", who, 0.9 * r, (0.8, 0.95), r, (r - 0.01, r + 0.01), [(1, 10)]) for who, r in relative.items()
        ]

    good, bad = (VoiceReport("tiny", "1", 0.1, 0.05, scores(value)) for value in (0.91, 0.89))
    assert good.passes()
    assert not bad.passes()
    assert not VoiceReport("tiny", "1", 0.1, 0.5, scores(0.91)).passes()
    assert as_text(good).count("reached") == len(BARS)
    assert "0.90 MISSED" in as_text(bad)
