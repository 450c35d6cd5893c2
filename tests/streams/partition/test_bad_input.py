"""Every kind of bad input through the decoder: each with its own reason, soon, and nothing else ever raised."""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from models.features import AUDIO, IMAGE
from models.interface import Prepared
from processors.audio import load_log_mel
from processors.image import load_pixels
from processors.limits import REASONS as MEDIA_REASONS
from processors.settings import TextSettings
from processors.text import load_text
from processors.words import tag_words
from streams.join.settings import JoinSettings
from streams.partition.decode import Decoder
from syncline.errors import MediaError
from syncline.wire.contract import REASONS
from syncline.wire.placement import partition_for
from tests.support.bad_input.case import FUSED, Case, Place
from tests.support.bad_input.corpus import bad_input, every_case
from tests.support.bad_input.damage import flipped, overwritten
from tests.support.bad_input.texts import TEN_MB, ten_megabytes_of_marks
from tests.support.moments import START_MS
from tests.support.raw import raw

N_PARTITIONS = 4
MAX_S = 2.0
"""For one record, on a machine that is busy; alone it takes 0.2 s at most."""
NOT_BY_INPUT = {"lost", "model_failed", "unreadable"}
"""Reasons that no record has by itself: its log, the model, and the batch it came in have them."""
SHADOWED = {"empty", "content_type_unknown", "text_charset_unknown"}
"""Reasons of the processors that a record never gets as far as: its headers are refused before."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The decoder tells of the first misrouted records, which is looked at elsewhere."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def prepare(modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
    """The reference model's preprocessing, without the model."""
    if modality == "image":
        return Prepared(load_pixels(data, content_type, IMAGE))
    if modality == "audio":
        return Prepared(load_log_mel(data, content_type, AUDIO))
    return Prepared(None, words=tag_words(load_text(data, content_type), language))


def outcomes(cases: Iterable[Case]) -> Iterator[tuple[Case, str]]:
    """Each case with what the decoder makes of it; fails where that takes too long."""
    decoder = Decoder(JoinSettings(), N_PARTITIONS, prepare, 1_000_000)
    for case in cases:
        sent = case.place(Place("lobby", START_MS, "1"))
        partition = (partition_for(sent.key or b"", N_PARTITIONS) + sent.misplaced) % N_PARTITIONS
        record = raw(key=sent.key, value=sent.value, headers=sent.headers)
        begun_s = time.process_time()
        (decoded,) = decoder.decode(sent.topic, partition, [record])
        assert time.process_time() - begun_s < MAX_S, case.name
        yield case, decoded.rejected.reason if decoded.rejected else FUSED


def wrong(cases: Iterable[Case]) -> list[tuple[str, str, list[str]]]:
    """What ended as it must not: the case, its outcome, what was expected."""
    return [(case.name, found, sorted(case.expected)) for case, found in outcomes(cases) if found not in case.expected]


def test_each_case_is_refused_for_its_own_reason() -> None:
    """Damaged media, lying headers and odd records: 7,700 that can be listed, each with what the formats' rules say."""
    assert wrong(every_case()) == []


def test_turned_bits_and_lying_numbers_are_found_or_do_no_harm() -> None:
    """Where a checksum covers the byte they are found; elsewhere the media may be legal still."""
    found = list(outcomes([*overwritten(), *itertools.islice(flipped(), 12_000)]))
    assert [(case.name, end) for case, end in found if end not in case.expected] == []
    ends = Counter(end for _, end in found)
    assert ends[FUSED] > 100, "if all were refused, nothing would be shown of what is legal still"
    assert ends.total() - ends[FUSED] > 1_000


def test_every_reason_that_a_record_can_have_is_met() -> None:
    """A reason that no case provokes would be one that nobody has seen work."""
    met = {end for _, end in outcomes(every_case())}
    assert (set(REASONS) | MEDIA_REASONS) - met == NOT_BY_INPUT | SHADOWED


def test_ten_megabytes_of_accents_take_no_time() -> None:
    """Normalising n marks in a row takes n^2 steps: they are counted before."""
    settings = TextSettings(max_bytes=2 * TEN_MB, max_characters=TEN_MB)
    begun_s = time.process_time()
    with pytest.raises(MediaError, match="text_too_many_marks"):
        load_text(ten_megabytes_of_marks(), "text/plain", settings)
    assert time.process_time() - begun_s < MAX_S


def test_the_corpus_is_the_same_for_the_same_seed_and_no_case_stands_twice() -> None:
    """A run that fails can be repeated."""
    cases = bad_input(9_000, seed=4)
    assert cases == bad_input(9_000, seed=4)
    assert cases != bad_input(9_000, seed=5)
    assert len({case.name for case in cases}) == 9_000
    with pytest.raises(ValueError, match="too few"):
        bad_input(100)
