r"""The partition problem by dynamic programming: exact where each device has one chunk.

For a threshold T on the time of a stage, the shortest sum over stages s, ..., p - 1 that take the
layers from i on is

.. math::
   F_T(s, i) = \min_{n \ge 1,\; c(s,i,n) \le T} c(s, i, n) + F_T(s + 1, i + n), \qquad
   F_T(p, l) = 0

with c(s, i, n) the shortest time of stage s with the n layers from i within its memory
(`partition_labels`): memory binds each stage alone and the step time never falls when a stage
slows down, so each stage may take its own fastest choice. The optimum is

.. math:: \min_T\; (m - 1)\,T + F_T(0, 0), \qquad T \in \{c(s, i, n)\}

F falls as T grows, so (m - 1) T_a + F_{T_b} bounds all thresholds from T_a to T_b from below: the
interval with the least bound is halved until no bound is below the best answer. Some ten
thresholds are evaluated; trying all of them (L. Zheng et al., Alpa, arXiv:2201.12023, section
5.2) may take thousands.

Complexity: O(p l n) per threshold for stages of up to n layers, in p vector operations, and the
labels of the windows that can matter: those whose fastest time is within what the best answer
with one option per stage allows.
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plan3d.planner.partition import ROUNDING, Problem, Solution, evaluate
from plan3d.planner.partition_labels import Kinds, LabelBook
from plan3d.planner.partition_windows import (
    even,
    fewest_bytes,
    outside_s,
    reachable,
    room_bytes,
    setting_times,
    window_maxima,
    window_sums,
)
from plan3d.simulator.errors import InputError, NothingFeasibleError
from plan3d.simulator.numeric import Bools, Floats, Ints

GIB: Final = 2.0**30
TOLERANCE: Final = 1e-10
"""A better answer than this is not looked for. [1]"""


def solve(problem: Problem) -> Solution:
    """Return the optimum of a problem whose stages are not coupled.

    Raises
    ------
    InputError
        If a device has several chunks, or host memory is shared: that is `partition_ilp`'s.
    NothingFeasibleError
        If no assignment fits: with the stage that misses most, and by how much.
    """
    if problem.chunks_per_device > 1 or problem.host is not None:
        raise InputError(
            "the DP takes one chunk per device and no shared host memory; use --searcher ilp"
        )
    times, book = stage_times(problem)
    found = cheapest(times, problem.micro_batches - 1)
    if found is None:
        raise NothingFeasibleError(shortfall(problem))
    sizes, value = found
    assignment = evaluate(problem, sizes, _choices(problem, book, sizes))
    return Solution(
        assignment=assignment, searcher="dp", proven=True, bound_s=value + problem.fixed_s
    )


def stage_times(problem: Problem) -> tuple[Floats, LabelBook]:
    """Return c(s, i, n) where it can matter, else infinity; and the labels it comes from.

    Shape (p, l, n + 1) [s].
    """
    layers, devices, weight = problem.layers, problem.devices, problem.bottleneck_weight
    longest = len(layers) - len(devices) + 1
    low = lowest_times(problem, longest)
    options = range(len(layers.options))
    high = np.min([setting_times(problem, even(r), longest) for r in options], axis=0)
    known = cheapest(high, weight)
    limit_s = np.inf
    if known is not None:
        low, limit_s = surviving(low, weight, known[1])
        longest = low.shape[2] - 1
    beside, room = outside_s(problem, longest), room_bytes(problem, longest)
    flying = devices.in_flight[:, None, None]
    rows, quick = np.arange(len(layers)), layers.time_s.argmin(axis=1)
    held = flying * window_sums(layers.kept_bytes[rows, quick], longest)
    fits = held + window_maxima(layers.working_bytes[rows, quick], longest) <= room
    book = LabelBook(layers=layers, limit_s=limit_s, limit_bytes=float((room / flying).max()))
    exact = np.where(fits, low, np.inf)
    for kinds, (stage, start, size) in _open(book, np.isfinite(low) & ~fits).items():
        time = book.fastest(kinds, room[stage, start, size], devices.in_flight[stage])
        exact[stage, start, size] = beside[stage, start, size] + time
    return exact, book


def lowest_times(problem: Problem, longest: int) -> Floats:
    """Return a lower bound of each window's time: fastest options, least memory (k, l, n + 1)."""
    layers = problem.layers
    flying = problem.devices.in_flight[problem.device_of][:, None, None]
    least = flying * window_sums(layers.kept_bytes.min(axis=1), longest)
    may = reachable(problem, longest) & (least <= room_bytes(problem, longest))
    fastest = window_sums(layers.time_s.min(axis=1), longest)
    return np.where(may, outside_s(problem, longest) + fastest, np.inf)


def surviving(low: Floats, weight: float, within: float) -> tuple[Floats, float]:
    r"""Return the windows that an answer of at most `within` can use, and its slowest stage.

    .. math:: (m - 1) \max(c, \bar T) + B(s, i) + c + F(s + 1, i + n) \le within

    with B and F the shortest sums before and after the window, and T-bar a mean stage of the
    shortest sum. Windows longer than any that survives are cut off. Shape (k, l, n + 1) [s].
    """
    after = _tails(low, np.inf)
    before = _heads(low)
    stop = _stops(low)
    shortest = after[0, 0]
    total = before[:-1, : low.shape[1], None] + low
    for chunk in range(len(low)):
        total[chunk] += after[chunk + 1][stop]
    slowest = np.maximum(low, shortest / len(low))
    kept = weight * slowest + total <= within * (1 + TOLERANCE)
    longest = int(np.flatnonzero(kept.any(axis=(0, 1))).max(initial=1))
    limit_s = (within * (1 + TOLERANCE) - shortest) / weight if weight > 0 else np.inf
    return np.where(kept, low, np.inf)[..., : longest + 1], limit_s


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
    best: tuple[tuple[int, ...], float] | None = None
    waiting: list[tuple[float, int, int, float]] = []

    def look(low: int, high: int) -> None:
        """Evaluate the threshold at `high`, and bound those from `low` on by it."""
        nonlocal best
        tails = _tails(times, ladder[high])
        total = float(tails[0, 0])
        if not np.isfinite(total):
            return
        sizes, slowest = _walk(times, tails, ladder[high])
        if best is None or weight * slowest + total < best[1]:
            best = sizes, weight * slowest + total
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
    return best


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


def _open(book: LabelBook, windows: Bools) -> dict[Kinds, tuple[Ints, ...]]:
    """Return the windows that need labels (as stages, starts, sizes), by kinds of layers."""
    groups: dict[Kinds, list[Ints]] = defaultdict(list)
    for start, size in np.argwhere(windows.any(axis=0)).tolist():
        stages = np.flatnonzero(windows[:, start, size])
        where = np.stack([stages, np.full_like(stages, start), np.full_like(stages, size)])
        groups[book.kinds(start, size)].append(where)
    return {kinds: tuple(np.concatenate(found, axis=1)) for kinds, found in groups.items()}


def _choices(problem: Problem, book: LabelBook, sizes: Sequence[int]) -> list[int]:
    """Return the option of each layer: the fastest of each stage within its memory."""
    layers, devices = problem.layers, problem.devices
    choice: list[int] = []
    for stage, size in enumerate(sizes):
        window = slice(len(choice), len(choice) + size)
        rows, quick = np.arange(len(layers))[window], layers.time_s[window].argmin(axis=1)
        flying = float(devices.in_flight[stage])
        free = devices.capacity_bytes[stage] * (1 + ROUNDING) - devices.fixed_bytes[stage]
        room = float(free - layers.state_bytes[window].sum())
        held = flying * layers.kept_bytes[rows, quick].sum()
        if held + layers.working_bytes[rows, quick].max() <= room:
            choice += quick.tolist()
        else:
            choice += book.choose(window.start, size, room, flying)
    return choice


def shortfall(problem: Problem) -> str:
    """Say which stage misses the memory by how much, in the partition that misses by least."""
    longest = len(problem.layers) - len(problem.device_of) + 1
    missing = fewest_bytes(problem, longest) - room_bytes(problem, longest)
    missing = np.where(reachable(problem, longest), np.maximum(missing, 0.0), np.inf)
    found = cheapest(missing, 1e6)
    sizes = () if found is None else found[0]
    starts = np.cumsum((0, *sizes))
    short = [float(missing[s, starts[s], n]) for s, n in enumerate(sizes)]
    worst = int(np.argmax(short))
    capacity = problem.devices.capacity_bytes[problem.device_of[worst]] / GIB
    return (
        f"no partition fits: at best, stage {worst + 1} of {len(sizes)} (layers "
        f"{starts[worst] + 1} to {starts[worst + 1]}) misses its {capacity:,.1f} GiB by "
        f"{short[worst] / GIB:,.2f} GiB with the least that recomputation can keep; "
        "more stages, a larger tp, ZeRO or a smaller micro-batch would help"
    )
