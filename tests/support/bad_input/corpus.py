"""All bad input in one list: every kind at least once, each record another, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from syncline.wire.contract import MAX_EVENT_BYTES
from tests.support.bad_input.case import Case
from tests.support.bad_input.compressed import compressed_sounds
from tests.support.bad_input.damage import flipped, overwritten, truncated, wrong_magic
from tests.support.bad_input.headers import headers
from tests.support.bad_input.pictures import pictures
from tests.support.bad_input.records import records
from tests.support.bad_input.texts import texts
from tests.support.bad_input.wavs import wavs


def every_case(max_event_bytes: int = MAX_EVENT_BYTES) -> Iterator[Case]:
    """Everything that can be listed; turned bits and overwritten numbers are without end and not among them."""
    yield from truncated()
    yield from wrong_magic()
    yield from pictures()
    yield from wavs()
    yield from compressed_sounds()
    yield from texts()
    yield from headers()
    yield from records(max_event_bytes)


def bad_input(n_cases: int, seed: int = 0, max_event_bytes: int = MAX_EVENT_BYTES) -> list[Case]:
    """`n_cases` in random order: `every_case`, filled up with turned bits and overwritten numbers half and half.

    Raises ValueError where `n_cases` are too few for every case.
    """
    dice = random.Random(seed)
    cases = list(every_case(max_event_bytes))
    n_more = n_cases - len(cases)
    if n_more < 0:
        raise ValueError(f"{n_cases} are too few: there are {len(cases)} cases to be sent at least once")
    lies = list(overwritten())
    cases += dice.sample(lies, min(n_more // 2, len(lies)))
    bits = flipped(seed)
    cases += [next(bits) for _ in range(n_cases - len(cases))]
    dice.shuffle(cases)
    return cases
