"""How long a task takes: median and spread of repeats, each with a cold L2 cache."""

import statistics
import time
from dataclasses import dataclass
from typing import Final

from plan3d.hardware_profiles.measure.device import Device, Mark
from plan3d.hardware_profiles.measure.gauge import Reading
from plan3d.hardware_profiles.measure.task import Task

WARM_UPS: Final = 3
FEWEST, MOST = 5, 200
"""Repeats. [1]"""
TARGET_S: Final = 0.2
"""Time for the repeats of one task, warm-up left out. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The repeats of a task."""

    time_s: float
    """Median. [s]"""
    spread: float
    """Distance between the quartiles over the median. [1]"""
    repeats: int
    reading: Reading
    """The device while it ran."""


def time_kernel(task: Task, device: Device, *, target_s: float = TARGET_S) -> Timing:
    """Time a task until about `target_s` are spent on it.

    On a GPU each repeat is: write a buffer larger than the L2 cache, for longer than the host
    needs to enqueue the run; event; run; event. On several ranks all repeat equally often.
    """
    enqueue_s, whole_s = _warm_up(task, device)
    one_s = device.agree(max(whole_s, enqueue_s) + device.fill_s)
    repeats = min(max(int(target_s / max(one_s, 1e-7)), FEWEST), MOST)
    marks = [_repeat(task, device, enqueue_s) for _ in range(repeats)]
    reading = device.gauge.read()  # the device still works on what was enqueued
    device.synchronize()
    clock = _host_between_s if task.host_clock else device.between_s
    times = [clock(first, last) / task.per for first, last in marks]
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    spread = (high - low) / median if median > 0 else 0.0
    return Timing(time_s=device.agree(median), spread=spread, repeats=repeats, reading=reading)


def _warm_up(task: Task, device: Device) -> tuple[float, float]:
    """Return how long the host needs to enqueue a run, and until the device is done [s]."""
    enqueue_s = whole_s = 0.0
    for _ in range(WARM_UPS):
        device.synchronize()
        start_s = time.perf_counter()
        task.before()
        task.run()
        task.after()
        enqueue_s = time.perf_counter() - start_s
        device.synchronize()
        whole_s = time.perf_counter() - start_s
    return enqueue_s, whole_s


def _repeat(task: Task, device: Device, enqueue_s: float) -> tuple[Mark, Mark]:
    if task.host_clock:
        device.synchronize()
        task.before()
        first: Mark = time.perf_counter()
        task.run()
        last: Mark = time.perf_counter()
    else:
        device.cover(enqueue_s)
        task.before()
        first = device.mark()
        task.run()
        last = device.mark()
    task.after()
    return first, last


def _host_between_s(first: Mark, second: Mark) -> float:
    return float(second - first)
