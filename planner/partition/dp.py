r"""The partition problem by dynamic programming: exact where each device has one chunk.

For a threshold T on the time of a stage, the shortest sum over stages s, ..., p - 1 that take the
layers from i on is

.. math::
   F_T(s, i) = \min_{n \ge 1,\; c(s,i,n) \le T} c(s, i, n) + F_T(s + 1, i + n), \qquad
   F_T(p, l) = 0

with c(s, i, n) the shortest time of stage s with the n layers from i within its memory
(`labels`): memory binds each stage alone and the step time never falls when a stage
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

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from plan3d.planner.partition.bounds import Bounds, cheapest, surviving
from plan3d.planner.partition.cost import ROUNDING, Solution, evaluate
from plan3d.planner.partition.labels import Kinds, LabelBook
from plan3d.planner.partition.problem import Problem
from plan3d.planner.partition.windows import (
    even,
    fewest_bytes,
    lowest_times,
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


def solve(problem: Problem) -> Solution:
    """Return the optimum of a problem whose stages are not coupled.

    Raises
    ------
    InputError
        If a device has several chunks, or host memory is shared: that is `ilp`'s.
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
    assignment = evaluate(problem, sizes, choices(problem, book, sizes))
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
        bounds = Bounds.of(problem, low)
        low, limit_s = surviving(bounds, low, known[1]), bounds.limit_s(known[1])
        longest = low.shape[2] - 1
    beside, room = outside_s(problem, longest), room_bytes(problem, longest)
    flying = devices.in_flight[:, None, None]
    rows, quick = np.arange(len(layers)), layers.time_s.argmin(axis=1)
    held = flying * window_sums(layers.kept_bytes[rows, quick], longest)
    working = window_maxima(layers.working_bytes[rows, quick], longest)
    fits = held + np.maximum(working, devices.loss_bytes[:, None, None]) <= room
    book = LabelBook(layers=layers, limit_s=limit_s, limit_bytes=float((room / flying).max()))
    exact = np.where(fits, low, np.inf)
    for kinds, (stage, start, size) in _open(book, np.isfinite(low) & ~fits).items():
        time = book.fastest(
            kinds, room[stage, start, size], devices.in_flight[stage], devices.loss_bytes[stage]
        )
        exact[stage, start, size] = beside[stage, start, size] + time
    return exact, book


def _open(book: LabelBook, windows: Bools) -> dict[Kinds, tuple[Ints, ...]]:
    """Return the windows that need labels (as stages, starts, sizes), by kinds of layers."""
    groups: dict[Kinds, list[Ints]] = defaultdict(list)
    for start, size in np.argwhere(windows.any(axis=0)).tolist():
        stages = np.flatnonzero(windows[:, start, size])
        where = np.stack([stages, np.full_like(stages, start), np.full_like(stages, size)])
        groups[book.kinds(start, size)].append(where)
    return {kinds: tuple(np.concatenate(found, axis=1)) for kinds, found in groups.items()}


def choices(problem: Problem, book: LabelBook, sizes: Sequence[int]) -> list[int]:
    """Return the option of each layer: the fastest of each stage within its memory."""
    layers, devices = problem.layers, problem.devices
    choice: list[int] = []
    for stage, size in enumerate(sizes):
        window = slice(len(choice), len(choice) + size)
        rows, quick = np.arange(len(layers))[window], layers.time_s[window].argmin(axis=1)
        flying, loss = float(devices.in_flight[stage]), float(devices.loss_bytes[stage])
        free = devices.capacity_bytes[stage] * (1 + ROUNDING) - devices.fixed_bytes[stage]
        room = float(free - layers.state_bytes[window].sum())
        held = flying * layers.kept_bytes[rows, quick].sum()
        if held + max(layers.working_bytes[rows, quick].max(), loss) <= room:
            choice += quick.tolist()
        else:
            choice += book.choose(window.start, size, room, flying, loss)
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
