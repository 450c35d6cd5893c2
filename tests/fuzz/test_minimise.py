"""Laws of tests/fuzz/minimise.py: the kept corpus is small and reaches as much."""

from __future__ import annotations

from syncline.kafka.client import quiet
from tests.fuzz.minimise import smallest, steps_of
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, wav


def test_what_is_kept_reaches_all_that_was_reached() -> None:
    """An input that takes no step of its own goes, and so does a longer one for the same steps."""
    inputs = [
        *seeds("wav"),
        b"",
        b"R",
        b"RI",
        b"RIFF",
        b"RIFF" + bytes(100),
        b"RIFF\0\0\0\0WAVE",
        b"nothing",
        b"nothing more",
    ]
    kept = smallest(wav, inputs)
    assert len(kept) < len(inputs)
    assert b"nothing more" not in kept
    assert set().union(*(steps_of(wav, data) for data in kept)) == set().union(
        *(steps_of(wav, data) for data in inputs)
    )


def test_what_is_collected_meanwhile_is_no_step() -> None:
    """A generator of ours that somebody left in a cycle is closed whenever the collector comes."""
    left = [quiet()]
    left[0].__enter__()
    left.append(left)  # type: ignore[arg-type]
    del left
    assert steps_of(lambda _: [[] for _ in range(10_000)] and None, b"") == set()


def test_every_target_takes_steps_of_ours() -> None:
    """Were a target's code not looked at, its whole corpus would go."""
    assert [name for name, target in TARGETS.items() if not any(steps_of(target, seed) for seed in seeds(name))] == []
