r"""Shortest chains of windows: the threshold search, and what it says about each window."""

import heapq
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plan3d.planner.partition.problem import Problem
from plan3d.simulator.numeric import Bools, Floats, Ints

TOLERANCE: Final = 1e-10
"""A better answer than this is not looked for. [1]"""
EVEN: Final = 1e-11
"""How much a stage's share of the slowest one counts, to tell equal answers apart. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """What any chain of windows takes at least, from lower bounds of the windows' times."""

    problem: Problem
    shortest_s: float
    """The shortest sum of all chunks. [s]"""
    rest_s: Floats
    """The shortest sum of all chunks but the one with a window. Shape (k, l, n + 1). [s]"""
    least_s: float
    """The least time of a chunk. [s]"""

    @classmethod
    def of(cls, problem: Problem, low: Floats, *, anywhere: bool = False) -> "Bounds":
        """Return the bounds of a table of lower bounds, of shape (k, l, n + 1).

        With `anywhere` a window stands for all starts, and has the least rest of them.
        """
        tails = _tails(low, np.inf)
        rest = _heads(low)[:-1, : low.shape[1], None] + tails[1:, _stops(low)]
        if anywhere:
            rest = np.broadcast_to(rest.min(axis=1, keepdims=True), rest.shape)
        return cls(
            problem=problem, shortest_s=float(tails[0, 0]), rest_s=rest, least_s=float(np.min(low))
        )

    @property
    def mean_s(self) -> float:
        """The mean device of the shortest sum: none is faster than the slowest device [s]."""
        return self.shortest_s / len(self.problem.devices)

    @property
    def value_s(self) -> float:
        """No step, without its fixed part, is shorter than this [s]."""
        weights = self.problem.bottleneck_weight, self.problem.sum_weight
        return weights[0] * self.mean_s + weights[1] * self.shortest_s

    def limit_s(self, within_s: float) -> float:
        """Return how slow a device can be in an answer of at most `within_s` [s]."""
        if self.problem.bottleneck_weight <= 0:
            return np.inf
        rest = within_s * (1 + TOLERANCE) - self.problem.sum_weight * self.shortest_s
        return rest / self.problem.bottleneck_weight

    def keeps(self, chunk: Ints, start: Ints, size: Ints, time_s: Floats, within_s: float) -> Bools:
        r"""Return which windows an answer of at most `within_s` can use.

        .. math::
           \left(m - \tfrac 1 v\right) \max(c + (v - 1) c_{min}, \bar T)
           + \tfrac 1 v \left(c + R(k, i, n)\right) \le within

        with R the shortest sum of the other chunks and T-bar the mean device.
        """
        if not np.isfinite(self.shortest_s):
            return np.zeros(len(chunk), dtype=np.bool_)
        others = (self.problem.chunks_per_device - 1) * self.least_s
        slowest = np.maximum(time_s + others, self.mean_s)
        total = time_s + self.rest_s[chunk, start, size]
        value = self.problem.bottleneck_weight * slowest + self.problem.sum_weight * total
        return np.asarray(value <= within_s * (1 + TOLERANCE))


def surviving(bounds: Bounds, low: Floats, within_s: float) -> Floats:
    """Return the windows that can be used; longer ones than any are cut off. (k, l, n + 1) [s]."""
    chunk, start, size = np.nonzero(np.isfinite(low))
    kept = bounds.keeps(chunk, start, size, low[chunk, start, size], within_s)
    longest = int(size[kept].max(initial=1))
    table = np.full((*low.shape[:2], longest + 1), np.inf)
    rows = chunk[kept], start[kept], size[kept]
    table[rows] = low[rows]
    return table


def cheapest(times: Floats, weight: float) -> tuple[tuple[int, ...], float] | None:
    """Return the sizes that minimise weight * maximum + sum, and that value; None if none can be.

    Parameters
    ----------
    times
        c(s, i, n), infinite where it cannot be. Shape (p, l, n + 1). [s]
    weight
        Of the slowest stage.
    """
    ladder = np.unique(times[np.isfinite(times)])
    if len(ladder) == 0:
        return None
    best: tuple[float, float] | None = None
    waiting: list[tuple[float, int, int, float]] = []

    def look(low: int, high: int) -> None:
        """Evaluate the threshold at `high`, and bound those from `low` on by it."""
        nonlocal best
        tails = _tails(times, ladder[high])
        total = float(tails[0, 0])
        if not np.isfinite(total):
            return
        slowest = _walk(times, tails, ladder[high])[1]
        if best is None or weight * slowest + total < best[1]:
            best = slowest, weight * slowest + total
        # From the slowest stage of this answer up to `high`, nothing is better than it.
        high = int(np.searchsorted(ladder, slowest)) - 1
        if low <= high:
            heapq.heappush(waiting, (weight * ladder[low] + total, low, high, total))

    look(0, len(ladder) - 1)
    while waiting and best is not None and waiting[0][0] < best[1] * (1 - TOLERANCE):
        _, low, high, total = heapq.heappop(waiting)
        middle = (low + high) // 2
        look(low, middle)
        if middle < high:
            heapq.heappush(waiting, (weight * ladder[middle + 1] + total, middle + 1, high, total))
    if best is None:
        return None
    slowest, value = best
    # Of answers that cost the same, the one with the most even stages.
    share = 1 + EVEN * times / slowest if slowest > 0 else 1.0
    table = np.where(times <= slowest, times, np.inf) * share
    return _walk(table, _tails(table, np.inf), np.inf)[0], value


def _stops(times: Floats) -> NDArray[np.intp]:
    """Return i + n of each window. Shape (l, n + 1)."""
    return np.arange(times.shape[1])[:, None] + np.arange(times.shape[2])


def _tails(times: Floats, threshold: float) -> Floats:
    """Return F of every stage and first layer. Shape (p + 1, l + n + 1) [s]."""
    stages, count, sizes = times.shape
    stop = _stops(times)
    tails = np.full((stages + 1, count + sizes), np.inf)
    tails[stages, count] = 0.0
    allowed = np.where(times <= threshold, times, np.inf)
    for stage in reversed(range(stages)):
        tails[stage, :count] = (allowed[stage] + tails[stage + 1][stop]).min(axis=1)
    return tails


def _heads(times: Floats) -> Floats:
    """Return the shortest sums of the stages before each one. Shape (p + 1, l + n + 1) [s]."""
    stages, count, sizes = times.shape
    stop = _stops(times)
    heads = np.full((stages + 1, count + sizes), np.inf)
    heads[0, 0] = 0.0
    for stage in range(stages):
        np.minimum.at(heads[stage + 1], stop, heads[stage, :count, None] + times[stage])
    return heads


def _walk(times: Floats, tails: Floats, threshold: float) -> tuple[tuple[int, ...], float]:
    """Return the sizes that reach F(0, 0), and their slowest stage [s]."""
    sizes: list[int] = []
    start, slowest = 0, 0.0
    for stage in range(len(times)):
        row = times[stage, start]
        rest = tails[stage + 1, start : start + len(row)]
        size = int(np.argmin(np.where(row <= threshold, row, np.inf) + rest))
        slowest = max(slowest, float(row[size]))
        sizes.append(size)
        start += size
    return tuple(sizes), slowest
