"""A matrix product while an all-reduce runs beside it, on links, memory and multiprocessors."""

import math
from dataclasses import replace
from functools import partial
from typing import Any, Final

import torch.distributed as dist

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.kernels import gemm
from plan3d.hardware_profiles.measure.kernels.compare import TYPES
from plan3d.hardware_profiles.measure.kernels.groups import group_of
from plan3d.hardware_profiles.measure.task import Task
from plan3d.hardware_profiles.measure.timing import time_kernel
from plan3d.hardware_profiles.points.point import Shape

LONGER: Final = 1.5
"""The all-reduces last so much longer than the product alone. [1]"""
QUICK_S: Final = 0.02


def build(shape: Shape, device: Device) -> Task:
    """Make a product ready that starts just after enough all-reduces; its time alone is noted."""
    group = group_of(shape, device)
    product = gemm.build(replace(shape, kind="gemm", op="forward"), device)
    kind = TYPES["bf16" if shape.dtype == "fp8" else shape.dtype]
    buffer = device.normal(max(1, shape.size_bytes // kind.itemsize), dtype=kind)
    # the maximum, as sums of sums would grow until they are infinite
    reduce = partial(dist.all_reduce, buffer, op=dist.ReduceOp.MAX, group=group)
    alone = time_kernel(product, device, target_s=QUICK_S)
    message = time_kernel(replace(product, run=reduce), device, target_s=QUICK_S)
    count = 1 + math.ceil(LONGER * alone.time_s / message.time_s)
    pending: list[Any] = []

    def begin() -> None:
        pending.extend(reduce(async_op=True) for _ in range(count))

    def finish() -> None:
        for work in pending:
            work.wait()
        pending.clear()

    return replace(
        product,
        before=begin,
        after=finish,
        note=f"alone {alone.time_s * 1e6:.1f} us; {count} all-reduces of "
        f"{message.time_s * 1e6:.1f} us",
    )
