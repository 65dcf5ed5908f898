"""What frameworks can express: one recompute setting for all stages, and few kinds of splits."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from plan3d.planner.partition.bounds import Bounds, cheapest, surviving
from plan3d.planner.partition.cost import Assignment, evaluate
from plan3d.planner.partition.problem import Problem
from plan3d.planner.partition.windows import (
    Setting,
    chosen,
    even,
    lowest_times,
    setting_times,
)
from plan3d.simulator.numeric import Floats

Sizes = tuple[int, ...]
Has = Callable[[Setting], bool]
"""Which settings are allowed."""


def every(_: Setting) -> bool:
    """Allow every setting."""
    return True


def even_sizes(layers: int, chunks: int) -> Sizes:
    """Return the even split; what does not divide goes to the first chunks, a layer each."""
    each, more = divmod(layers, chunks)
    return tuple(each + (i < more) for i in range(chunks))


def ends_sizes(layers: int, chunks: int) -> Iterator[Sizes]:
    """Yield the splits whose inner chunks are alike.

    Megatron-LM, megatron/training/arguments.py: --decoder-first-pipeline-num-layers and
    --decoder-last-pipeline-num-layers; the even split is one of them.
    """
    inner = max(chunks - 2, 0)
    if chunks < 2:
        yield (layers,)
        return
    for each in range(1, (layers - 2) // inner + 1) if inner else [0]:
        outer = layers - inner * each
        yield from ((first, *[each] * inner, outer - first) for first in range(1, outer))


def settings(options: Sequence[str], longest: int) -> tuple[Setting, ...]:
    """Return the settings that one rule for all chunks allows.

    Megatron-LM, megatron/training/arguments.py: --recompute-granularity selective or full, the
    latter with --recompute-method block for the first layers of each chunk only.
    """
    found = [even(option) for option in range(len(options))]
    if "none" in options and "full" in options:
        none, full = options.index("none"), options.index("full")
        found += [Setting(head=full, count=n, tail=none) for n in range(1, longest)]
    return tuple(found)


def setting_name(setting: Setting, options: Sequence[str]) -> str:
    """Return a setting in words."""
    if setting.count == 0:
        return options[setting.tail]
    return f"{options[setting.head]} for the first {setting.count} of a stage's layers"


def longest_window(problem: Problem, within_s: float) -> int:
    """Return the most layers of a chunk in an answer of at most `within_s`, ends aside."""
    low = lowest_times(problem, len(problem.layers) - len(problem.device_of) + 1)
    if not np.isfinite(within_s):
        return int(low.shape[2]) - 1
    return int(surviving(Bounds.of(problem, low), low, within_s).shape[2]) - 1


def usable_settings(
    problem: Problem, splits: Sequence[Sizes], has: Has = every
) -> tuple[tuple[Setting, ...], int]:
    """Return the settings, and the longest window, that can lead to the best answer.

    Parameters
    ----------
    problem
        Costs.
    splits
        Splits that are allowed: the best of them says how long a window can be of use.
    has
        Which settings are allowed.
    """
    longest = len(problem.layers) - len(problem.device_of) + 1
    few = filter(has, settings(problem.layers.options, 1))
    simple = best_split(problem, splits, few, longest)
    within_s = np.inf if simple is None else simple[0].step_time_s - problem.fixed_s
    longest = longest_window(problem, within_s)
    return tuple(filter(has, settings(problem.layers.options, longest))), longest


def best_split(
    problem: Problem, splits: Sequence[Sizes], rules: Iterable[Setting], longest: int
) -> tuple[Assignment, Setting] | None:
    """Return the best assignment with one of the splits and one setting; None if none fits."""
    sizes = np.array([split for split in splits if max(split) <= longest])
    if len(sizes) == 0:
        return None
    starts = np.cumsum(sizes, axis=1) - sizes
    chunk = np.arange(sizes.shape[1])
    best: tuple[Assignment, Setting] | None = None
    for rule in rules:
        times = setting_times(problem, rule, longest)[chunk, starts, sizes]
        for row in _ranked(problem, times):
            split = tuple(sizes[row].tolist())
            found = evaluate(problem, split, _choice(rule, split))
            if found.fits:
                if best is None or found.step_time_s < best[0].step_time_s:
                    best = found, rule
                break
    return best


def _ranked(problem: Problem, times: Floats) -> Iterator[int]:
    """Yield rows of chunk times, of shape (splits, k), by the step they make; finite ones only."""
    rows = np.flatnonzero(np.isfinite(times).all(axis=1))
    owned = [problem.device_of == device for device in range(len(problem.devices))]
    device_s = np.stack([times[rows][:, mine].sum(axis=1) for mine in owned], axis=1)
    weights = problem.bottleneck_weight, problem.sum_weight
    step = weights[0] * device_s.max(axis=1) + weights[1] * device_s.sum(axis=1)
    yield from rows[np.argsort(step, kind="stable")].tolist()


def _choice(rule: Setting, sizes: Sizes) -> list[int]:
    return [option for size in sizes for option in chosen(rule, size)]


def one_setting(problem: Problem, has: Has = every) -> tuple[Assignment, Setting] | None:
    """Return the best assignment with one setting and any split: the DP, setting by setting."""
    splits = [even_sizes(len(problem.layers), len(problem.device_of))]
    rules, longest = usable_settings(problem, splits, has)
    best: tuple[Assignment, Setting] | None = None
    for rule in rules:
        times = setting_times(problem, rule, longest)
        if best is not None:
            within_s = best[0].step_time_s - problem.fixed_s
            times = surviving(Bounds.of(problem, times), times, within_s)
        found = cheapest(times, problem.bottleneck_weight)
        if found is None:
            continue
        assignment = evaluate(problem, found[0], _choice(rule, found[0]))
        if best is None or assignment.step_time_s < best[0].step_time_s:
            best = assignment, rule
    return best
