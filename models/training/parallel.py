"""Data-parallel training under `torchrun`: one batch, its rows shared by several processes.

Every process draws the same batch from the same seeds and computes the features of its rows alone (`spread`); the
features of all rows come back with their gradient, and the loss is that of the whole batch in every process. Backward
through `gather` adds the gradients of all processes, of which each has the same loss; DistributedDataParallel then
takes the mean over processes. So each parameter gets the gradient of the whole batch, whether it works on its own
rows or on all. A loss that never calls `spread` is right too; it is only not faster.
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

from syncline.errors import SettingsError


class _Here:
    """What this process is: where it computes, and whether it computes some rows only at the moment."""

    device = torch.device("cpu")
    sharing = False


def start(device: str = "cpu") -> None:
    """Join the processes that `torchrun` started, if it did: NCCL for `cuda`, else gloo. Raises SettingsError."""
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
    """Where this process computes."""
    return _Here.device


def world_size() -> int:
    """How many processes train together; 1 without `torchrun`."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Whether this process is the one that writes logs, checkpoints and weights."""
    return rank() == 0


def is_sharing() -> bool:
    """Whether what runs now is one process's rows of a batch that several share (inside `spread`)."""
    return _Here.sharing


def from_first(values: Sequence[float]) -> list[float]:
    """The values of the first process, in every process: clocks differ, and all must stop at the same step."""
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
    """Which of `n` rows this process computes. Raises SettingsError where they cannot be shared evenly."""
    if n % world_size():
        raise SettingsError("batch", n, f"a multiple of the {world_size()} processes that share it")
    each = n // world_size()
    return slice(rank() * each, (rank() + 1) * each)


class _Gather(torch.autograd.Function):
    """Rows of all processes; backward adds up what all processes want of this one's rows."""

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
    """The sum over processes; backward is the sum of their gradients."""

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
    """The loss such that backward leaves in `trained` the gradients' mean over processes."""
    if world_size() == 1:
        return loss
    # A loss may leave parts out by chance; where it never does, torch says so once and nobody can mend it.
    warnings.filterwarnings("ignore", message=r"(?s).*find_unused_parameters=True was specified")
    return nn.parallel.DistributedDataParallel(_Loss(trained, loss), find_unused_parameters=True)


def same_everywhere(module: nn.Module) -> None:
    """Give every process the first one's weights and buffers."""
    if world_size() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)
