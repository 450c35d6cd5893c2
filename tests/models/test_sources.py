"""Training media are drawn by seed, stay in range, and are changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.features import IMAGE, scale_log_mel
from models.training.reference.data import TrainingData, open_corpus
from models.training.reference.sources import pad_tokens, train_tokenizer
from tests.support.tiny_corpus import N_CONCEPTS, WORDS, tiny_concepts, tiny_texts


def opened(corpus: Path, seed: int = 0) -> TrainingData:
    """The tiny corpus, opened for training."""
    concepts = tiny_concepts()
    return open_corpus(corpus, concepts, tiny_texts(), WORDS, train_tokenizer(concepts), seed)


def test_pictures_stay_in_range_and_change(tiny_corpus: Path) -> None:
    """Pixels stay in [-1, 1]; the same concept twice is not the same picture."""
    source = opened(tiny_corpus).pictures
    concept = torch.arange(N_CONCEPTS)
    first, second = source.draw(concept), source.draw(concept)
    assert first.shape == (N_CONCEPTS, 3, IMAGE.size, IMAGE.size)
    assert first.min() >= -1
    assert first.max() <= 1
    assert not torch.equal(first, second)


def test_speech_stays_in_range_and_has_lengths(tiny_corpus: Path) -> None:
    """Log-mel stays in [-1, 1], is as long as the longest clip says, and no clip is empty."""
    source = opened(tiny_corpus).labels.source
    log_mel, n_frames = source.draw(torch.arange(N_CONCEPTS))
    assert log_mel.shape == (N_CONCEPTS, 64, int(n_frames.max()))
    assert log_mel.min() >= -1
    assert log_mel.max() <= 1 + 1e-6
    assert n_frames.min() > 0


def test_speech_of_a_concept_is_its_own(tiny_corpus: Path) -> None:
    """`draw_alike` tells which concept each clip says: its phones and clips are those of the arrays."""
    source = opened(tiny_corpus).labels.source
    for _ in range(7):
        concept, log_mel, n_frames = source.draw_alike(4)
        assert len(concept) == len(log_mel) == len(n_frames) == 4
        assert int(concept.max()) < N_CONCEPTS


@pytest.mark.parametrize("modality", ["pictures", "speech", "texts"])
def test_one_seed_one_stream_of_media(tiny_corpus: Path, modality: str) -> None:
    """The same seed draws the same media, another seed others."""
    concept = torch.arange(N_CONCEPTS)

    def draw(seed: int) -> torch.Tensor:
        data = opened(tiny_corpus, seed)
        return data.labels.source.draw(concept)[0] if modality == "speech" else getattr(data, modality).draw(concept)

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


def test_validation_is_as_it_is(tiny_corpus: Path) -> None:
    """Validation has one picture, clip and text of each concept, and knows who has no text."""
    validation = opened(tiny_corpus).validation
    assert len(validation.pixels) == len(validation.log_mel) == len(validation.tokens) == N_CONCEPTS
    assert validation.has_text.tolist() == [True] * (N_CONCEPTS - 1) + [False]


def test_loudness_does_not_matter() -> None:
    """A clip ten times louder gives the same array; silence gives all ones, not NaN."""
    log_mel = np.log(np.random.default_rng(0).random((64, 20), np.float32) + 1e-9)
    np.testing.assert_allclose(scale_log_mel(log_mel), scale_log_mel(log_mel + np.log(100.0)), atol=1e-5)
    assert np.array_equal(scale_log_mel(np.full((64, 5), -23.0, np.float32)), np.ones((64, 5)))


def test_tokens_are_padded_with_nought() -> None:
    """Rows of several lengths stand side by side, 0 past the end, one place at least."""
    assert pad_tokens([[5, 6], [7]]).tolist() == [[5, 6], [7, 0]]
    assert pad_tokens([[], []]).tolist() == [[0], [0]]


def test_tokenizer_reads_any_case_and_both_languages() -> None:
    """Case does not matter, Chinese is read, and padding's id is 0."""
    tokenizer = train_tokenizer(tiny_concepts())
    assert tokenizer.encode("KIND1").ids == tokenizer.encode("kind1").ids
    assert tokenizer.token_to_id("[UNK]") not in tokenizer.encode("类甲").ids
    assert tokenizer.token_to_id("[PAD]") == 0


def test_what_is_held_out_is_never_drawn(tiny_corpus: Path) -> None:
    """Without two concepts there are ten left, each with its own clips and pictures, in their order."""
    concepts = tiny_concepts()
    tokenizer = train_tokenizer(concepts)
    full = opened(tiny_corpus)
    some = open_corpus(tiny_corpus, concepts, tiny_texts(), WORDS, tokenizer, 0, frozenset({"cat", "fish"}))
    kept = [n for n, c in enumerate(concepts) if c.name not in ("cat", "fish")]
    assert [c.name for c in some.concepts] == [concepts[n].name for n in kept]
    assert some.labels.phones == [full.labels.phones[n] for n in kept]
    assert torch.equal(some.validation.pixels, full.validation.pixels[kept])
    assert torch.equal(some.validation.n_frames, full.validation.n_frames[kept])
    assert torch.equal(some.labels.source.clips, full.labels.source.clips[kept])
    said = torch.cat([some.labels.source.draw_alike(8)[0] for _ in range(12)])
    assert set(said.tolist()) <= set(range(len(kept)))


def test_texts_are_fair_tags_where_they_shall_be(tiny_corpus: Path) -> None:
    """With a share of 1 and no typos all texts are fair tags; with 0 they are labels and other tags."""
    texts = opened(tiny_corpus).texts
    tokenizer = train_tokenizer(tiny_concepts())
    concept = torch.arange(N_CONCEPTS).repeat(5)
    for share, fair in ((1.0, True), (0.0, False)):
        rows = texts.draw(concept, share, typos_share=0.0).tolist()
        read = ["".join(tokenizer.id_to_token(n) for n in row if n) for row in rows]
        tags = [{*tiny_concepts()[c].tags_en, *tiny_concepts()[c].tags_zh} for c in concept.tolist()]
        assert all((text.split(" ")[0] in own) == fair for text, own in zip(read, tags, strict=True))


def test_typos_only_mask(tiny_corpus: Path) -> None:
    """A text with typos has masks in the places of some characters, the others stay."""
    texts = opened(tiny_corpus).texts
    tokenizer = train_tokenizer(tiny_concepts())
    mask = tokenizer.token_to_id("_")
    rows = texts.draw(torch.zeros(50, dtype=torch.int64), 1.0, typos_share=1.0)
    assert (rows == mask).any()
    whole = {*tokenizer.encode("kind0").ids, *tokenizer.encode("类甲").ids, *tokenizer.encode(" ").ids, mask, 0}
    assert set(rows.flatten().tolist()) <= whole
