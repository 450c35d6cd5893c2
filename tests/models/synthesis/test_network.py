"""The synthesiser's network: the length regulator, and answers that do not depend on the batch."""

from __future__ import annotations

import pytest
import torch

from models.synthesis.mel import N_MELS
from models.synthesis.network import MAX_PHONE_FRAMES, SpeechNetwork, frames_of, mask_of, n_steps_of, regulate
from tests.support.tiny_voice import SIZES


@pytest.fixture(scope="module")
def network() -> SpeechNetwork:
    """An untrained network."""
    torch.manual_seed(1)
    return SpeechNetwork(SIZES).eval()


def test_regulator_repeats_each_state_as_often_as_said() -> None:
    """Two frames of the first, none of the second, three of the third; then zeros."""
    states = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    spread, places = regulate(states, torch.tensor([[2, 0, 3], [1, 1, 0]]))
    assert spread[..., 0].tolist() == [[1, 1, 3, 3, 3], [4, 5, 0, 0, 0]]
    assert places[0, :, 0].tolist() == pytest.approx([0.25, 0.75, 1 / 6, 0.5, 5 / 6])
    assert places[0, :, 1].tolist() == pytest.approx([0.75, 0.25, 5 / 6, 0.5, 1 / 6])
    assert places[0, :, 2].exp().tolist() == pytest.approx([2, 2, 3, 3, 3])
    assert places[1, 2:].abs().sum() == 0


def test_durations_are_whole_and_bounded() -> None:
    """A phone lasts at least a frame and at most a second."""
    assert frames_of(torch.tensor([-9.0, 0.0, 1.61, 99.0])).tolist() == [1, 1, 5, MAX_PHONE_FRAMES]


def test_mask() -> None:
    """True within each sequence."""
    assert mask_of(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]
    assert n_steps_of(torch.tensor([1, 2, 3])).tolist() == [1, 1, 2]


def test_speaking_does_not_depend_on_the_batch(network: SpeechNetwork) -> None:
    """Phones padded beside longer ones are said as they are alone."""
    short, long = torch.tensor([[1, 5, 9, 1]]), torch.tensor([[1, 3, 7, 11, 30, 2, 2, 17, 1]])
    both = torch.zeros(2, 9, dtype=torch.int64)
    both[0, :4], both[1] = short[0], long[0]
    together = network.speak(both, torch.tensor([4, 9]))
    for row, (phones, n) in enumerate(((short, 4), (long, 9))):
        alone = network.speak(phones, torch.tensor([n]))
        assert alone.n_frames[0] == together.n_frames[row]
        torch.testing.assert_close(alone.mel[0], together.mel[row, : int(alone.n_frames[0])], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n_frames", [1, 2, 7, 8])
def test_copy_is_as_long_as_what_is_copied(network: SpeechNetwork, n_frames: int) -> None:
    """The autoencoder gives as many frames as it gets, even or odd."""
    assert network.copy(torch.zeros(n_frames, N_MELS)).shape == (n_frames, N_MELS)


def test_given_durations_are_kept(network: SpeechNetwork) -> None:
    """With the teacher's frames the mel has as many."""
    said = network.speak(torch.tensor([[1, 5, 1]]), torch.tensor([3]), torch.tensor([[4, 3, 6]]))
    assert said.n_frames.tolist() == [13]
    assert said.mel.shape == (1, 13, N_MELS)


def test_scale_is_undone(network: SpeechNetwork) -> None:
    """What is scaled is brought back."""
    mel = torch.randn(3, N_MELS)
    torch.testing.assert_close(network.unscale(network.scale(mel)), mel)
