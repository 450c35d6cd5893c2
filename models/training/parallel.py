"""Data-parallel training under `torchrun`: one batch, its rows shared by several processes.

Every process draws the same batch from the same seeds, and computes the features of its own rows (`spread`). The
features of all rows come back with their gradient, so every process has the loss of the whole batch. The backward pass
of `gather` sums the gradients of all processes; DistributedDataParallel then takes their mean. So each parameter gets
the gradient of the whole batch. A loss that never calls `spread` is right too, but not faster.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from syncline.errors import SettingsError


class _Here:
    """The state of this process: its device, and whether it is computing its share of rows."""

    device = torch.device("cpu")
    sharing = False


def start(device: str = "cpu") -> None:
    """Join the processes of `torchrun`, if any: NCCL for `cuda`, else gloo.

    Raises:
        SettingsError: torch cannot use the device.
    """
    if device not in ("cpu", "cuda"):
        raise SettingsError("--device", device, "cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device", device, "cpu: this machine has no GPU that torch can use")
    _Here.device = torch.device("cpu")
    if device == "cuda":
        _Here.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(_Here.device)
    if "WORLD_SIZE" in os.environ and not dist.is_initialized():
        dist.init_process_group("nccl" if device == "cuda" else "gloo")


def stop() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def device() -> torch.device:
    """The device of this process."""
    return _Here.device


def world_size() -> int:
    """How many processes train together; 1 without `torchrun`."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Whether this process writes logs, checkpoints and weights."""
    return rank() == 0


def is_sharing() -> bool:
    """Whether this process is computing its share of a batch (inside `spread`)."""
    return _Here.sharing


def from_first(values: Sequence[float]) -> list[float]:
    """The values of the first process, in all: clocks differ, and all must stop at the same step."""
    if world_size() == 1:
        return list(values)
    sent = torch.tensor(values, dtype=torch.float64, device=device())
    dist.broadcast(sent, 0)
    return sent.tolist()


def bytes_from_first(data: bytes | None) -> bytes | None:
    """The bytes that the first process has, in every process; None where it has none."""
    if world_size() == 1:
        return data
    (n_bytes,) = from_first([-1 if data is None else len(data)])
    if n_bytes < 0:
        return None
    sent = torch.empty(int(n_bytes), dtype=torch.uint8)
    if is_first():
        sent = torch.frombuffer(bytearray(data or b""), dtype=torch.uint8)
    sent = sent.to(device())
    dist.broadcast(sent, 0)
    return sent.cpu().numpy().tobytes()


def rows_of(n: int) -> slice:
    """This process's share of `n` rows.

    Raises:
        SettingsError: they cannot be shared evenly.
    """
    if n % world_size():
        raise SettingsError("batch", n, f"a multiple of the {world_size()} processes that share it")
    each = n // world_size()
    return slice(rank() * each, (rank() + 1) * each)


class _Gather(torch.autograd.Function):
    """All processes' rows; backward sums the gradients of this process's rows."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:  # noqa: ARG004  (torch's name; nothing to keep)
        parts = [torch.empty(mine.shape, dtype=mine.dtype, device=mine.device) for _ in range(world_size())]
        dist.all_gather(parts, mine.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004
        total = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[rows_of(len(total))]


class _AddUp(torch.autograd.Function):
    """The sum over processes; backward sums their gradients."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:  # noqa: ARG004  (torch's name; nothing to keep)
        total = mine.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004
        total = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def gather(mine: Tensor) -> Tensor:
    """The rows of all processes, in the order of their ranks, with gradient: (n, ...) to (n * world_size, ...)."""
    return mine if world_size() == 1 else _Gather.apply(mine)  # pyright: ignore[reportReturnType]


def add_up(mine: Tensor) -> Tensor:
    """The sum over all processes, with gradient: same shape."""
    return mine if world_size() == 1 else _AddUp.apply(mine)  # pyright: ignore[reportReturnType]


def spread(compute: Callable[..., Tensor], *batch: Tensor) -> Tensor:
    """`compute(*batch)`, each process doing its share of the rows: first dimensions (n, ...) in and out.

    Raises SettingsError where the processes cannot share n rows evenly.
    """
    if world_size() == 1:
        return compute(*(part.to(device()) for part in batch))
    rows = rows_of(len(batch[0]))
    with _sharing():
        mine = compute(*(part[rows].to(device()) for part in batch))
    return gather(mine)


@contextmanager
def _sharing() -> Generator[None]:
    _Here.sharing = True
    try:
        yield
    finally:
        _Here.sharing = False


class _Loss(nn.Module):
    """A loss as the forward of a module that owns the trained parameters, as DistributedDataParallel wants it."""

    def __init__(self, trained: nn.Module, loss: Callable[[float], Tensor]) -> None:
        super().__init__()
        self.trained, self._loss = trained, loss

    def forward(self, spent: float) -> Tensor:
        return self._loss(spent)


def distributed(trained: nn.Module, loss: Callable[[float], Tensor]) -> Callable[[float], Tensor]:
    """The loss, such that backward leaves the mean gradient over processes in `trained`."""
    if world_size() == 1:
        return loss
    # A loss may leave parts out by chance; where it never does, torch warns once, and nothing can be done.
    warnings.filterwarnings("ignore", message=r"(?s).*find_unused_parameters=True was specified")
    return nn.parallel.DistributedDataParallel(_Loss(trained, loss), find_unused_parameters=True)


def same_everywhere(module: nn.Module) -> None:
    """Give every process the first one's weights and buffers."""
    if world_size() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)


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
    """Replace BatchNorm and Dropout by shared layers. Parameters, buffers and their names stay."""
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
