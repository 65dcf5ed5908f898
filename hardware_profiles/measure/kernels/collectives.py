"""Collectives of a group of ranks: NCCL on GPUs, gloo on CPUs."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import torch
import torch.distributed as dist

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.kernels.compare import TOLERANCE, TYPES, error
from plan3d.hardware_profiles.measure.kernels.groups import group_of, level, of_all
from plan3d.hardware_profiles.measure.task import Task, UnsupportedError
from plan3d.hardware_profiles.points.point import Shape

SMALL_BYTES: Final = 2**20
IN_A_ROW: Final = 10
"""Small ones are run so often one behind the other, as nccl-tests runs them: one alone would be
timed with the start of its stream."""
SAMPLES: Final = 16
"""Of each rank's block that are compared. [1]"""

# new names since torch 2.13, which warns of the older ones
_all_gather: Callable[..., Any] = (
    getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
)
_reduce_scatter: Callable[..., Any] = (
    getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
)


def build(shape: Shape, device: Device) -> Task:
    """Make a collective ready; `size_bytes` is the full tensor of one rank.

    All ranks start each together, and the time is that of the slowest.
    """
    group = group_of(shape, device)
    if shape.op == "send_recv":
        return _send(shape, device)
    kind = TYPES[shape.dtype]
    part = max(1, -(-shape.size_bytes // (kind.itemsize * shape.ranks)))
    whole = part * shape.ranks
    gathers, scatters = shape.op == "all_gather", shape.op == "reduce_scatter"
    source = device.normal(part if gathers else whole, dtype=kind)
    target = torch.empty(part if scatters else whole, device=device.where, dtype=kind)
    once = _once(shape.op, source, target, group)
    meet = level(device)

    def before() -> None:
        if shape.op == "all_reduce":
            target.copy_(source)  # else the sums grow until they are infinite
        meet()

    per = IN_A_ROW if shape.size_bytes <= SMALL_BYTES else 1

    def run() -> None:
        for _ in range(per):
            once()

    def off() -> float:
        before()
        once()
        return error(*_pair(shape, source, target, group))

    return Task(run=run, before=before, error=off, tolerance=TOLERANCE[shape.dtype], per=per)


def _once(op: str, source: Any, target: Any, group: Any) -> Callable[[], object]:
    match op:
        case "all_reduce":
            return partial(dist.all_reduce, target, group=group)
        case "all_gather":
            return partial(_all_gather, target, source, group=group)
        case "reduce_scatter":
            return partial(_reduce_scatter, target, source, group=group)
        case "all_to_all":
            return partial(dist.all_to_all_single, target, source, group=group)
        case _:
            raise UnsupportedError(f"no collective {op!r}")


def _pair(shape: Shape, source: Any, target: Any, group: Any) -> tuple[Any, Any]:
    """Return some of the result of this rank, and what it should be."""
    n, me = shape.ranks, dist.get_rank(group)
    if shape.op == "all_gather":
        return target.view(n, -1)[:, :SAMPLES].cpu(), of_all(source[:SAMPLES], group)
    blocks = of_all(source.view(n, -1)[:, :SAMPLES], group)  # from, to, samples
    if shape.op == "all_reduce":
        return target.view(n, -1)[:, :SAMPLES].cpu(), blocks.sum(0)
    if shape.op == "reduce_scatter":
        return target[:SAMPLES].cpu(), blocks[:, me].sum(0)
    return target.view(n, -1)[:, :SAMPLES].cpu(), blocks[:, me]


def _send(shape: Shape, device: Device) -> Task:
    """Make sends ready, all pairs at once: between neighbours, or from one half to the other.

    The halves are whole nodes, so that each pair crosses the network with a link of its own.
    """
    apart = 1 if shape.nodes == 1 else device.ranks // 2
    if device.ranks % (2 * apart) or (shape.nodes == 1 and device.local_ranks % 2):
        raise UnsupportedError(f"{device.ranks} ranks do not make pairs")
    sends = device.rank // apart % 2 == 0
    other = device.rank + (apart if sends else -apart)
    kind = TYPES[shape.dtype]
    tensor = device.normal(max(1, shape.size_bytes // kind.itemsize), dtype=kind)
    per = IN_A_ROW if shape.size_bytes <= SMALL_BYTES else 1

    def run() -> None:
        for _ in range(per):
            if sends:
                dist.send(tensor, other)
            else:
                dist.recv(tensor, other)

    def off() -> float:
        run()
        held = of_all(tensor[:SAMPLES], dist.group.WORLD)
        return error(held[device.rank], held[other])

    return Task(run=run, before=level(device), error=off, tolerance=0.0, per=per)
