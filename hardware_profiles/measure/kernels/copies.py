"""Copies on the device, and between it and pinned host memory."""

from typing import Any

import torch

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.kernels.compare import error, sampled
from plan3d.hardware_profiles.measure.task import Task, UnsupportedError
from plan3d.hardware_profiles.points.point import Shape

SAMPLES = 10_000


def build(shape: Shape, device: Device) -> Task:
    """Make a copy ready.

    `size_bytes` is what memory reads and writes for a copy on the device, half of it each, and
    what crosses the link for one to or from the host.
    """
    inside = shape.op == "device"
    if not (device.cuda or inside):
        raise UnsupportedError("a CPU has no host link")
    count = shape.size_bytes // (4 if inside else 2)
    here = device.normal(count, dtype=torch.bfloat16)
    if inside:
        source, target = here, torch.empty_like(here)
    else:
        # the buffer stays pinned, as that of a data loader or of offloaded states
        pinned = torch.empty(count, dtype=torch.bfloat16, pin_memory=True)
        source, target = here, pinned
        if shape.op == "host_to_device":
            source, target = pinned.copy_(here), torch.empty_like(here)

    def run() -> Any:
        return target.copy_(source, non_blocking=True)

    def off() -> float:
        run()
        device.synchronize()
        picked = sampled(count, SAMPLES, "cpu")
        return error(target[picked.to(target.device)].cpu(), source[picked.to(source.device)].cpu())

    return Task(run=run, error=off, tolerance=0.0)
