"""The least time of a kernel: on the device behind another, and on the host to enqueue it."""

from typing import Any

import torch

from plan3d.hardware_profiles.measure.device import Device
from plan3d.hardware_profiles.measure.task import Task
from plan3d.hardware_profiles.points.point import Shape


def build(shape: Shape, device: Device) -> Task:
    """Make n tiny kernels ready.

    ``launch`` is the device's time of each, one behind the other: they are enqueued while it is
    still busy with something else. ``dispatch`` is the host's time to enqueue each, in eager mode.
    """
    one = torch.zeros(1, device=device.where)
    before = one.clone()

    def launch() -> None:
        for _ in range(shape.n):
            one.add_(1)

    def counted() -> float:
        before.copy_(one)
        launch()
        return abs(float(one - before) - shape.n)

    def dispatch() -> Any:
        for _ in range(shape.n):
            result = torch.add(before, 1)
        return result

    if shape.op == "launch":
        return Task(run=launch, error=counted, tolerance=0.0, per=shape.n)
    return Task(
        run=dispatch,
        error=lambda: abs(float(dispatch() - before) - 1),
        tolerance=1e-6,
        per=shape.n,
        host_clock=True,
    )
