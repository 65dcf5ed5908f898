"""A matrix product back to back for half a minute: how clocks fall under load."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from plan3d.hardware_profiles.measure.device import Device, Mark
from plan3d.hardware_profiles.measure.kernels import gemm
from plan3d.hardware_profiles.measure.task import Task
from plan3d.hardware_profiles.measure.timing import time_kernel
from plan3d.hardware_profiles.points.point import OK, Point, Shape

CHUNK_S: Final = 0.05
"""Products are timed in chunks of about so long. [s]"""
WINDOW_S: Final = 0.5
"""A point is the median of the chunks of so long before it. [s]"""
PER_WINDOW: Final = 4
"""At least so many chunks to the first look. [1]"""


def ready(shape: Shape, device: Device) -> Task:
    """Make the product of a load ready."""
    return gemm.build(replace(shape, kind="gemm", op="forward", elapsed_s=0.0), device)


def load(shapes: Sequence[Shape], task: Task, device: Device) -> Iterator[Point]:
    """Run one load, and look at it when each shape says, counted from its first product."""
    waiting = sorted(shapes, key=lambda shape: shape.elapsed_s)
    once = time_kernel(task, device, target_s=0.0)
    chunk_s = min(CHUNK_S, waiting[0].elapsed_s / PER_WINDOW)
    runs = max(1, int(chunk_s / once.time_s))
    device.synchronize()
    marks = [device.mark(), _chunk(task, runs, device)]
    times: list[tuple[float, float]] = []
    while waiting:
        marks.append(_chunk(task, runs, device))  # behind one that is still running: no gap
        device.wait_for(marks[-2])
        end_s = device.between_s(marks[0], marks[-2])
        times.append((end_s, device.between_s(marks[-3], marks[-2]) / runs))
        while waiting and end_s >= waiting[0].elapsed_s:
            yield _point(waiting.pop(0), times, device)
    device.synchronize()


def _chunk(task: Task, runs: int, device: Device) -> Mark:
    for _ in range(runs):
        task.run()
    return device.mark()


def _point(shape: Shape, times: Sequence[tuple[float, float]], device: Device) -> Point:
    reading = device.gauge.read()
    window_s = min(WINDOW_S, shape.elapsed_s / 2)
    recent = [each for end_s, each in times if end_s >= times[-1][0] - window_s]
    median = statistics.median(recent)
    low, _, high = (
        statistics.quantiles(recent, n=4, method="inclusive") if len(recent) > 1 else [median] * 3
    )
    return Point(
        shape=shape,
        time_s=median,
        spread=(high - low) / median,
        repeats=len(recent),
        clock_hz=reading.clock_hz,
        status="throttled" if reading.throttled else OK,
        note=reading.throttled or ("at the power limit" if reading.capped else ""),
    )
