"""Backbones of torchvision with weights from a safetensors file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from models import registry
from syncline.errors import SettingsError
from tests.models.adapters.folders import manifest, picture

LABELS = ["cat", "dog", "bird"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    """A folder with the weights of a small net that was never trained, and the net."""
    torch.manual_seed(1)
    made = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None, num_classes=len(LABELS)).eval()
    folder = tmp_path_factory.mktemp("torchvision")
    save_file({name: tensor.contiguous() for name, tensor in made.state_dict().items()}, folder / "weights.safetensors")
    return folder, made


def write(folder: Path, **values: object) -> str:
    whole = {"kind": "torchvision", "architecture": "shufflenet_v2_x0_5", "weights": "weights.safetensors"}
    return str(manifest(folder, **(whole | {"image": {"size": 32}} | values)))


def test_labels_and_embedding_are_those_of_the_net(network: tuple[Path, torch.nn.Module]) -> None:
    """Scores are the net's own softmax; the embedding is what goes into its last layer, at length 1."""
    folder, net = network
    model = registry.load(write(folder, labels=LABELS))
    member = picture(model, 90)
    (answer,) = model.run([[member]])
    with torch.inference_mode():
        pixels = torch.from_numpy(member.prepared.value)[None].float() / 127.5 - 1
        wanted = dict(zip(LABELS, net(pixels).softmax(1)[0].tolist(), strict=True))
    assert dict(answer.labels) == pytest.approx(wanted, abs=1e-4)
    assert answer.embedding is not None
    assert (answer.embedding.shape, round(float(np.linalg.norm(answer.embedding)), 4)) == ((1_024,), 1.0)


def test_without_labels_it_gives_embeddings_alone(network: tuple[Path, torch.nn.Module]) -> None:
    """A backbone for search."""
    model = registry.load(write(network[0]))
    (answer,) = model.run([[picture(model, 90)]])
    assert answer.labels == []
    assert answer.embedding is not None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"architecture": "alexnett"}, "architecture: got 'alexnett', takes one of torchvision's: alexnet, "),
        ({"architecture": "alexnet"}, "weights of alexnet"),
        ({"weights": "weights.pth"}, "weights.pth may hold a program and is not opened: syncline model convert IN OUT"),
        ({"labels": ["cat"]}, "labels: got 1, takes as many labels as the network has outputs, or none"),
    ],
)
def test_what_does_not_fit_is_told(network: tuple[Path, torch.nn.Module], values: dict[str, object], says: str) -> None:
    """Unknown nets, weights of another net, pickles, and labels that are not the net's."""
    with pytest.raises(SettingsError) as refused:
        registry.load(write(network[0], **values))
    assert says in str(refused.value)
