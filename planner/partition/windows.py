"""Costs of every window of layers on every chunk, as tables of shape (k, l, n + 1).

Entry (c, i, n) is chunk c with the n layers from layer i. What cannot be is infinite.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plan3d.planner.partition.cost import ROUNDING
from plan3d.planner.partition.problem import Problem
from plan3d.simulator.numeric import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One rule for the layers of a chunk: an option for its first `count`, another for the rest."""

    head: int
    count: int
    tail: int


def even(option: int) -> Setting:
    """Return the setting with one option for all layers."""
    return Setting(head=option, count=0, tail=option)


def window_sums(values: Floats, longest: int) -> Floats:
    """Return sums over windows of a column of shape (l,). Shape (l, longest + 1)."""
    ends = np.concatenate([[0.0], np.cumsum(values)])
    start = np.arange(len(values))[:, None]
    stop = np.minimum(start + np.arange(longest + 1), len(values))
    return np.asarray(ends[stop] - ends[:-1, None])


def window_maxima(values: Floats, longest: int) -> Floats:
    """Return maxima over windows, 0 where empty. Shape (l, longest + 1)."""
    padded = np.concatenate([values, np.zeros(longest)])
    each = padded[np.arange(len(values))[:, None] + np.arange(longest)]
    best = np.zeros((len(values), longest + 1))
    np.maximum.accumulate(each, axis=1, out=best[:, 1:])
    return best


def reachable(problem: Problem, longest: int) -> Bools:
    """Return which windows leave enough layers for the other chunks. (k, l, longest + 1).

    A chunk has at least a layer. Where a device has several chunks, they are within a layer of
    the even split: the step time of interleaving holds for chunks that are nearly alike.
    """
    count, chunks = len(problem.layers), len(problem.device_of)
    chunk = np.arange(chunks)[:, None, None]
    start = np.arange(count)[None, :, None]
    size = np.arange(longest + 1)[None, None, :]
    stop = start + size
    later = chunks - 1 - chunk
    least, most = 1, count
    if problem.chunks_per_device > 1:
        least, most = max(1, count // chunks - 1), -(-count // chunks) + 1
    ends = np.where(later == 0, stop == count, stop <= count - least * later)
    begins = np.where(chunk == 0, start == 0, start >= least * chunk)
    return np.asarray((size >= least) & (size <= most) & ends & begins)


def outside_s(problem: Problem, longest: int) -> Floats:
    """Return the time of a chunk beside its layers. Shape (k, l, longest + 1) [s].

    A device's extra stands with the first of its chunks.
    """
    count = len(problem.layers)
    stop = np.minimum(np.arange(count)[:, None] + np.arange(longest + 1), count)
    cuts = problem.cut_s[:-1, None] + problem.cut_s[stop]
    _, first = np.unique(problem.device_of, return_index=True)
    extra = np.zeros(len(problem.device_of))
    extra[first] = problem.devices.extra_s
    return np.asarray(extra[:, None, None] + cuts)


def room_bytes(problem: Problem, longest: int) -> Floats:
    """Return what a device has for activations beside a window's states. (k, l, longest + 1)."""
    devices = problem.devices
    free = (devices.capacity_bytes * (1 + ROUNDING) - devices.fixed_bytes)[problem.device_of]
    return free[:, None, None] - window_sums(problem.layers.state_bytes, longest)


def setting_costs(
    problem: Problem, setting: Setting, longest: int
) -> tuple[Floats, Floats, Floats]:
    """Return layers' time, kept and working bytes under a setting. Each (l, longest + 1)."""
    layers = problem.layers
    size = np.arange(longest + 1)
    if setting.count == 0 or setting.head == setting.tail:
        return (
            window_sums(layers.time_s[:, setting.tail], longest),
            window_sums(layers.kept_bytes[:, setting.tail], longest),
            window_maxima(layers.working_bytes[:, setting.tail], longest),
        )
    head = np.minimum(size, setting.count)
    rows = np.arange(len(layers))[:, None]

    def sums(values: Floats) -> Floats:
        first = window_sums(values[:, setting.head], longest)[rows, head]
        rest = window_sums(values[:, setting.tail], longest)
        return first + rest - rest[rows, head]

    after = np.minimum(rows + head, len(layers) - 1)
    tail = window_maxima(layers.working_bytes[:, setting.tail], longest)[after, size - head]
    front = window_maxima(layers.working_bytes[:, setting.head], longest)[rows, head]
    return sums(layers.time_s), sums(layers.kept_bytes), np.maximum(front, tail)


def setting_times(problem: Problem, setting: Setting, longest: int) -> Floats:
    """Return the time of each window under a setting, where it fits. (k, l, longest + 1) [s]."""
    time_s, kept, working = setting_costs(problem, setting, longest)
    flying = problem.devices.in_flight[problem.device_of][:, None, None]
    loss = problem.devices.loss_bytes[problem.device_of][:, None, None]
    fits = flying * kept + np.maximum(working, loss) <= room_bytes(problem, longest)
    allowed = fits & reachable(problem, longest)
    return np.where(allowed, outside_s(problem, longest) + time_s, np.inf)


def chosen(setting: Setting, size: int) -> list[int]:
    """Return the options of the layers of a chunk under a setting."""
    head = min(setting.count, size)
    return [setting.head] * head + [setting.tail] * (size - head)


def lowest_times(problem: Problem, longest: int) -> Floats:
    """Return a lower bound of each window's time: fastest options, least memory (k, l, n + 1)."""
    layers = problem.layers
    flying = problem.devices.in_flight[problem.device_of][:, None, None]
    least = flying * window_sums(layers.kept_bytes.min(axis=1), longest)
    may = reachable(problem, longest) & (least <= room_bytes(problem, longest))
    fastest = window_sums(layers.time_s.min(axis=1), longest)
    return np.where(may, outside_s(problem, longest) + fastest, np.inf)


def fewest_bytes(problem: Problem, longest: int) -> Floats:
    """Return the least memory for activations that a window can do with. (k, l, longest + 1).

    For each working set in turn, as the largest that may be: the options within it that keep
    least.
    """
    flying = problem.devices.in_flight[problem.device_of][:, None, None]
    loss = problem.devices.loss_bytes[problem.device_of][:, None, None]
    least = np.full((len(problem.device_of), len(problem.layers), longest + 1), np.inf)
    for level, kept in _least_kept(problem):
        whole = np.isfinite(kept)
        sums = window_sums(np.where(whole, kept, 0.0), longest)
        barred = window_sums((~whole).astype(np.float64), longest)
        least = np.minimum(
            least, np.where(barred > 0, np.inf, flying * sums + np.maximum(level, loss))
        )
    return least


def _least_kept(problem: Problem) -> Iterator[tuple[float, Floats]]:
    layers = problem.layers
    for level in np.unique(layers.working_bytes):
        allowed = layers.working_bytes <= level
        yield float(level), np.where(allowed, layers.kept_bytes, np.inf).min(axis=1)
