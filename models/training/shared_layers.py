"""Layers that see a whole batch although each process computes its share of the rows alone.

torch's own SyncBatchNorm does the same on GPUs and refuses CPUs, so it cannot be tested on a machine without a GPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models.training.parallel import add_up, is_sharing, rows_of, world_size


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):  # noqa: SLF001  (the base of all three, as SyncBatchNorm has it)
    """BatchNorm with the mean and variance of the rows of all processes while `spread` runs; else plain BatchNorm."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002  (torch's name)
        """Any number of dimensions."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name)
        """(n, n_channels, ...) to the same."""
        if not (self.training and is_sharing()):
            return super().forward(input)
        dims = [dim for dim in range(input.ndim) if dim != 1]
        shape = [-1 if dim == 1 else 1 for dim in range(input.ndim)]
        n = input.numel() // input.shape[1] * world_size()  # shares are of one size
        mean = add_up(input.sum(dims)) / n
        centred = input - mean.view(shape)
        variance = add_up(centred.square().sum(dims)) / n
        self._remember(mean.detach(), variance.detach() * n / max(1, n - 1))
        scaled = centred * (variance + self.eps).rsqrt().view(shape)
        return scaled if not self.affine else scaled * self.weight.view(shape) + self.bias.view(shape)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class SharedDropout(nn.Dropout):
    """Dropout that draws for the rows of all processes and uses its own: generators stay where one process has them."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name)
        """Any shape (n, ...) to the same."""
        if not (self.training and is_sharing()):
            return super().forward(input)
        n = len(input) * world_size()
        kept = F.dropout(torch.ones(n, *input.shape[1:], dtype=input.dtype, device=input.device), self.p)
        return input * kept[rows_of(n)]


def share_layers(module: nn.Module) -> None:
    """Put shared layers in the place of BatchNorm and Dropout; parameters, buffers and their names stay."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(module, name, _shared_norm(child))
        elif type(child) is nn.Dropout:
            setattr(module, name, SharedDropout(child.p).train(child.training))
        else:
            share_layers(child)


def _shared_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> SharedBatchNorm:
    has_statistics = norm.running_mean is not None
    out = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, has_statistics)
    out.weight, out.bias = norm.weight, norm.bias
    for name, buffer in norm.named_buffers(recurse=False):
        setattr(out, name, buffer)
    return out.train(norm.training)
