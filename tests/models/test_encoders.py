"""Encoders and fusion, in shapes and in what padding may not change."""

from __future__ import annotations

import pytest
import torch

from models.reference.encoders import AudioEncoder, TextEncoder, masked_mean, n_steps
from models.reference.network import Evidence, NetworkDimensions, ReferenceNetwork


def test_padding_of_speech_changes_nothing() -> None:
    """Silence that a longer neighbour brings does not change a clip's feature."""
    torch.manual_seed(0)
    encoder = AudioEncoder(64, 32, 32, 5, 0.0).eval()
    clip = torch.rand(1, 64, 73) * 2 - 1
    padded = torch.full((1, 64, 200), -1.0)
    padded[..., :73] = clip
    padded[..., 73:] = torch.rand(1, 64, 127)  # not even sound past the end is heard
    n_frames = torch.tensor([73])
    torch.testing.assert_close(encoder(clip, n_frames), encoder(padded, n_frames), rtol=0, atol=1e-5)


def test_padding_of_text_changes_nothing() -> None:
    """Places past a text's end do not change its feature."""
    torch.manual_seed(0)
    encoder = TextEncoder(20, 8, 32, 0.0).eval()
    tokens = torch.tensor([[3, 4, 5]])
    padded = torch.nn.functional.pad(tokens, (0, 6))
    torch.testing.assert_close(encoder(tokens), encoder(padded), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 5, 17, 100])
def test_number_of_steps_is_that_of_the_net(n_frames: int) -> None:
    """`n_steps` says how many steps the net really makes, also of a single frame."""
    encoder = AudioEncoder(64, 32, 32, 5, 0.0).eval()
    steps = encoder.steps(torch.zeros(1, 64, n_frames), torch.tensor([n_frames]))
    assert steps.shape[2] == int(n_steps(torch.tensor(n_frames)))


def test_mean_of_nothing_is_zero() -> None:
    """Where nothing is there the mean is 0, not NaN."""
    assert masked_mean(torch.ones(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool)).abs().sum() == 0


def test_members_that_are_not_there_are_not_heard() -> None:
    """What stands in an empty place has no influence, be it huge."""
    torch.manual_seed(0)
    network = ReferenceNetwork(NetworkDimensions(12, 50, 5, n_state=32, n_audio_channels=32)).eval()
    features = torch.randn(2, 3, 2, 32)
    there = torch.tensor([[True, False, True], [False, False, False]])
    modality = torch.tensor([[0, 1, 2], [0, 0, 0]])
    quiet = network.fuse(Evidence(features, modality, there))
    loud = network.fuse(Evidence(torch.where(there[..., None, None], features, 1e3), modality, there))
    torch.testing.assert_close(quiet, loud, rtol=0, atol=1e-5)
    assert torch.isfinite(quiet[0]).all()


def test_the_base_is_the_sum_of_calibrated_witnesses() -> None:
    """With no trust in the Transformer, a set says what its members say independently of each other."""
    torch.manual_seed(0)
    network = ReferenceNetwork(NetworkDimensions(12, 50, 5, n_state=32, n_audio_channels=32)).eval()
    network.trust_alone.copy_(torch.tensor([0.5, 1.0, 2.0]))
    network.trust.copy_(torch.tensor([0.5, 1.0, 2.0, 0.0]))
    features = torch.randn(1, 2, 2, 32)
    evidence = Evidence(features, torch.tensor([[0, 2]]), torch.ones(1, 2, dtype=torch.bool))
    wanted = (network.alone(features[:, 0], 0) + network.alone(features[:, 1], 2)).log_softmax(-1)
    torch.testing.assert_close(network.fuse(evidence)[0], wanted)


def test_each_kind_of_set_has_its_own_trust() -> None:
    """What a set of one kind says does not change with the trust of other kinds, and does with its own."""
    torch.manual_seed(0)
    network = ReferenceNetwork(NetworkDimensions(12, 50, 5, n_state=32, n_audio_channels=32)).eval()
    there = torch.tensor([[True, True, True], [True, False, True], [False, True, False]])
    evidence = Evidence(torch.randn(3, 3, 2, 32), torch.tensor([[0, 2, 0], [1, 0, 2], [0, 2, 1]]), there)
    before = network.fuse(evidence)[0]
    network.trust[0b101] = torch.tensor([0.5, 1.0, 2.0, 0.0])  # picture and speech
    same = [torch.equal(a, b) for a, b in zip(before, network.fuse(evidence)[0], strict=True)]
    assert same == [False, True, True]


def test_media_of_known_things_lie_together_before_anything_is_fused() -> None:
    """A picture and a clip whose branches name one concept are nearest to each other, by way of that concept."""
    torch.manual_seed(0)
    network = ReferenceNetwork(NetworkDimensions(12, 50, 5, n_state=32, n_audio_channels=32)).eval()
    made: dict[int, torch.Tensor] = {}
    for lane, name in ((0, "image"), (2, "audio")):
        meanings = network.branches[name].table.directions.detach()  # pyright: ignore
        features = torch.stack([meanings, torch.zeros_like(meanings)], 1)[:, None]
        place = torch.full((12, 1), lane)
        made[lane] = network.fuse(Evidence(features, place, torch.ones_like(place) > 0))[1]
    assert (made[0] @ made[2].T).argmax(1).tolist() == list(range(12))


def test_no_tensor_is_made_on_another_device() -> None:
    """Everything happens on the device that the media are on: torch refuses to mix `meta` with the CPU."""
    network = ReferenceNetwork(NetworkDimensions(12, 50, 5, n_state=32, n_audio_channels=32)).eval().to("meta")
    image = network.encode("image", torch.zeros(4, 3, 40, 40, device="meta"))
    lengths = torch.full((4,), 60, device="meta")
    audio = network.encode("audio", torch.zeros(4, 64, 70, device="meta"), lengths)
    modality = torch.zeros(4, 2, dtype=torch.int64, device="meta")
    evidence = Evidence(torch.stack([image, audio], 1), modality, torch.ones(4, 2, dtype=torch.bool, device="meta"))
    assert {t.device.type for t in (image, audio, *network.fuse(evidence))} == {"meta"}
