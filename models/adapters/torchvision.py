"""Networks of torchvision with your weights. The input of the last layer is the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn

from models.adapters.adapter_manifest import AdapterManifest, read_labels
from models.adapters.lane_model import Encoded, LaneEncoder, LaneModel, prepare_pixels
from models.adapters.resources import check_fits, pick_device
from models.adapters.weight_files import float32_bytes, weight_file
from models.interface import Prepared
from processors.image import normalise
from processors.settings import ImageSettings
from syncline.errors import SettingsError

IMAGENET = ImageSettings(size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class Backbone(LaneEncoder):
    """A classifier of pictures. Its scores count if it has as many outputs as there are labels."""

    def __init__(self, network: nn.Module, settings: ImageSettings, n_labels: int, device: torch.device) -> None:
        self._network, self._settings, self._device = network, settings, device
        head = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        self.width, self._scores_labels = head.in_features, head.out_features == n_labels
        self._seen: list[Tensor] = []
        head.register_forward_pre_hook(lambda _, inputs: self._seen.append(inputs[0]))

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        """uint8 (3, size, size)."""
        return prepare_pixels(data, content_type, self._settings)

    @torch.inference_mode()
    def encode(self, values: Sequence[Any]) -> Encoded:
        """Pictures as one batch."""
        pixels = torch.from_numpy(normalise(np.stack(values), self._settings)).to(self._device)
        self._seen.clear()
        scores = self._network(pixels)
        (embeddings,) = self._seen
        self._seen.clear()
        return Encoded(_array(embeddings.flatten(1)), _array(scores) if self._scores_labels else None)


def open_torchvision(folder: Path, manifest: AdapterManifest) -> LaneModel:
    """Open the model of a manifest: an image lane.

    Raises:
        SettingsError: the model cannot be used.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if manifest.architecture not in known:
        raise SettingsError("architecture", manifest.architecture, f"one of torchvision's: {', '.join(known)}")
    path, device = weight_file(folder / manifest.weights), pick_device()
    check_fits(manifest.name, [], device.type, n_bytes=float32_bytes([path]))
    network = _network(manifest.architecture, path)
    labels = read_labels(folder, manifest)
    lane = Backbone(network.eval().requires_grad_(False).to(device), manifest.image or IMAGENET, len(labels), device)
    if labels and lane.encode([np.zeros((3, 64, 64), np.uint8)]).scores is None:
        raise SettingsError("labels", len(labels), "as many labels as the network has outputs, or none")
    return LaneModel(manifest.name, manifest.version, {"image": lane}, labels)


def _network(architecture: str, path: Path) -> nn.Module:
    try:
        tensors = load_file(path)
        heads = [tensor for name, tensor in tensors.items() if name.endswith("weight") and tensor.ndim == 2]
        network = torchvision.models.get_model(architecture, weights=None, num_classes=len(heads[-1]))
        network.load_state_dict(tensors)
    except Exception as error:  # safetensors and torch have an error each, none of them a common one
        raise SettingsError("weights", str(path), f"weights of {architecture} ({error})") from error
    return network


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
