r"""The partition problem as an integer program: exact, and with what couples the stages.

A binary u_c for each column c (`columns`): chunk k with the n layers from layer i.

.. math::
   \min \left(m - \tfrac 1 v\right) T + \tfrac 1 v \sum_c t_c u_c, \qquad
   T \ge \sum_{c \text{ on } d} t_c u_c \quad \forall d

*Path form*, any layers: u is a flow through the nodes (k, i), from (0, 0) to (p v, l). *Column
form*, one kind of layer: one column per chunk, whose sizes sum to l. Coupled stages add

- memory of a device with several chunks:
  :math:`fixed_d + \sum_c held_c u_c + w_d \le M_d`, :math:`w_d \ge \sum_{c \in k} working_c u_c`
  and :math:`w_d \ge loss_d`;
- host memory of a node: :math:`\sum_{c \in node} host_c u_c \le H`;
- one recompute setting q: :math:`\sum_{c \in k, q} u_c \le y_q`, :math:`\sum_q y_q \le 1`;
- at most K kinds (n, q) of stages: the same with :math:`\sum y \le K`.

Columns that no answer as good as the best known can use are left out (`Bounds.keeps`), and the
objective is bounded by the DP's, which relaxes every coupling. Formulation and measurements:
docs/partition.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from plan3d.planner.partition import dp
from plan3d.planner.partition.bounds import TOLERANCE, Bounds, cheapest
from plan3d.planner.partition.columns import (
    Columns,
    exact_columns,
    keep_within,
    label_columns,
    representative,
    same_everywhere,
    setting_columns,
)
from plan3d.planner.partition.cost import Assignment, Solution, evaluate
from plan3d.planner.partition.fold import folded, unfolded
from plan3d.planner.partition.problem import FREE, Coupling, Problem
from plan3d.planner.partition.settings import (
    best_split,
    ends_sizes,
    even_sizes,
    longest_window,
    one_setting,
    usable_settings,
)
from plan3d.planner.partition.windows import lowest_times, reachable, setting_times
from plan3d.simulator.errors import InputError, NothingFeasibleError
from plan3d.simulator.numeric import Bools, Floats

if TYPE_CHECKING:
    from plan3d.planner.partition.program import Outcome

TIME_LIMIT_S = 30.0
"""How long a solver may take unless told otherwise. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Start:
    """What is known before the program runs."""

    low: Floats
    """A lower bound of each window's time. Shape (k, l, n + 1). [s]"""
    columns: Callable[[Bools, float], Columns]
    """The columns of some windows that an answer within some time can use."""
    incumbent: Assignment | None
    least_s: float
    """A lower bound of the step, fixed part aside. [s]"""
    read: Callable[[Sequence[int]], Sequence[int]] | None = None
    """Options of the layers, from the sizes, where the columns do not know them."""


def solve(
    problem: Problem, coupling: Coupling = FREE, *, time_limit_s: float = TIME_LIMIT_S,
    assisted: bool = True,
) -> Solution:  # fmt: skip
    """Return the best assignment that keeps the coupling.

    Parameters
    ----------
    problem
        Costs; several chunks per device and shared host memory are taken.
    coupling
        What holds for all stages together.
    time_limit_s
        How long the solver may take: then the best answer known is returned, and marked. [s]
    assisted
        Start from the best answer and bound of the DP. Without, the program proves all by itself.

    Raises
    ------
    NothingFeasibleError
        If no assignment fits.
    """
    if not time_limit_s >= 0:
        raise InputError(f"the time limit is {time_limit_s} s, but must be at least 0")
    start = _start(problem, coupling)
    bounds = Bounds.of(problem, start.low)
    known = start.incumbent if assisted else None
    within_s = np.inf if known is None else known.step_time_s - problem.fixed_s
    if problem.chunks_per_device > 1 and within_s <= start.least_s * (1 + TOLERANCE):
        return _fallback(problem, start, "")
    alike = same_everywhere(problem)
    windows = (representative if alike else reachable)(problem, start.low.shape[2] - 1)
    columns = start.columns(windows, within_s)
    if set(columns.chunk.tolist()) != set(range(len(problem.device_of))):
        return _fallback(problem, start, "no assignment is left to the solver")
    try:
        from plan3d.planner.partition.program import Program  # noqa: PLC0415  # may be missing

        program = Program(
            problem=problem,
            columns=columns,
            alike=alike,
            coupling=coupling,
            least_s=start.least_s if assisted else 0.0,
            mean_s=bounds.mean_s,
        )
        outcome = program.run(time_limit_s)
    except Exception as error:  # whatever a solver does, an answer is due
        text = (str(error) or type(error).__name__).splitlines()[0]
        return _fallback(problem, start, f"the solver failed ({text}): this is the DP's answer")
    return _answer(problem, start, columns, outcome)


def _answer(problem: Problem, start: _Start, columns: Columns, outcome: "Outcome") -> Solution:
    """Return the solver's answer, or the incumbent where that is better or nothing was found."""
    found: Assignment | None = None
    if outcome.rows is not None:
        part = columns.take(outcome.rows)
        sizes = part.size.tolist()
        choice = [c for one in part.choice or () for c in one]
        found = evaluate(problem, sizes, choice if start.read is None else start.read(sizes))
    if found is None or not found.fits:
        if outcome.infeasible and start.incumbent is None:
            raise NothingFeasibleError(_missing(problem))
        why = "found no answer in time" if found is None else "gave an answer that does not fit"
        return _fallback(problem, start, f"{outcome.solver} {why}: this is the best known before")
    bound_s = max(outcome.bound_s, start.least_s) + problem.fixed_s
    if outcome.optimal:
        bound_s = found.step_time_s
    elif start.incumbent is not None and start.incumbent.step_time_s < found.step_time_s:
        found = start.incumbent
    late = "" if outcome.optimal else "time limit reached: the best answer so far"
    return Solution(
        assignment=found,
        searcher=f"ilp, {outcome.solver}",
        proven=outcome.optimal or _met(bound_s, found),
        bound_s=min(bound_s, found.step_time_s),
        note=late,
    )


def _fallback(problem: Problem, start: _Start, why: str) -> Solution:
    """Return the best answer that is known without a solver."""
    if start.incumbent is None:
        raise NothingFeasibleError(f"{why}, and no simple partition fits; {_missing(problem)}")
    bound_s = start.least_s + problem.fixed_s
    return Solution(
        assignment=start.incumbent,
        searcher="dp",
        proven=_met(bound_s, start.incumbent),
        bound_s=min(bound_s, start.incumbent.step_time_s),
        note=why,
    )


def _met(bound_s: float, found: Assignment) -> bool:
    """Return whether nothing can be better than an answer, whoever says so."""
    return bound_s >= found.step_time_s * (1 - 1e-9)


def _missing(problem: Problem) -> str:
    """Say what is short of what."""
    if problem.chunks_per_device == 1 and problem.host is None:
        return dp.shortfall(problem)
    return "no assignment fits the memory that chunks of a device, or devices of a node, share"


def _start(problem: Problem, coupling: Coupling) -> _Start:
    """Return the columns, the best simple answer, and a bound."""
    if coupling.by_setting:
        return _by_setting(problem, coupling)
    if problem.chunks_per_device > 1 or problem.host is not None:
        return _by_label(problem)
    times, book = dp.stage_times(problem)
    best = dp.solve(problem)
    return _Start(
        low=times,
        columns=lambda windows, within_s: exact_columns(
            problem, times, windows, keep_within(problem, times, within_s)
        ),
        incumbent=best.assignment,
        least_s=best.bound_s - problem.fixed_s,
        read=lambda sizes: dp.choices(problem, book, sizes),
    )


def _splits(problem: Problem, coupling: Coupling) -> list[tuple[int, ...]]:
    """Return simple splits that keep the coupling."""
    layers, chunks = len(problem.layers), len(problem.device_of)
    splits = [even_sizes(layers, chunks)]
    if problem.chunks_per_device == 1:
        splits += ends_sizes(layers, chunks)
    most = coupling.max_kinds or chunks
    return [sizes for sizes in splits if len(set(sizes)) <= most]


def _by_setting(problem: Problem, coupling: Coupling) -> _Start:
    """Columns of settings; for one setting the DP of each of them is an answer already."""
    splits = _splits(problem, coupling)
    rules, longest = usable_settings(problem, splits)
    low = np.min([setting_times(problem, rule, longest) for rule in rules], axis=0)
    single = problem.chunks_per_device == 1
    relaxed = cheapest(low, problem.bottleneck_weight) if single else None
    if single and relaxed is None:
        raise NothingFeasibleError(dp.shortfall(replace(problem, host=None)))
    incumbent = None
    if coupling.max_kinds is None and single and problem.host is None:
        best = one_setting(problem)
        incumbent = None if best is None else best[0]
    else:
        simple = best_split(problem, splits, rules, longest)
        incumbent = None if simple is None else simple[0]
    return _Start(
        low=low,
        columns=lambda windows, within_s: setting_columns(
            problem, rules, longest, windows, keep_within(problem, low, within_s)
        ),
        incumbent=incumbent,
        least_s=Bounds.of(problem, low).value_s if relaxed is None else relaxed[1],
    )


def _by_label(problem: Problem) -> _Start:
    """Columns of labels: the choice of one stage depends on that of others."""
    splits = _splits(problem, FREE)
    rules, longest = usable_settings(problem, splits)
    simple = best_split(problem, splits, rules, longest)
    incumbent = None if simple is None else simple[0]
    within_s = np.inf if incumbent is None else incumbent.step_time_s - problem.fixed_s
    low = lowest_times(problem, longest_window(problem, within_s))
    least_s = Bounds.of(problem, low).value_s
    if problem.chunks_per_device == 1:
        least_s = dp.solve(replace(problem, host=None)).bound_s - problem.fixed_s
    elif same_everywhere(problem):
        stages = dp.solve(folded(replace(problem, host=None)))
        least_s = max(least_s, stages.bound_s / problem.chunks_per_device)
        dealt = unfolded(problem, stages.assignment)
        if dealt is not None and dealt.fits:
            incumbent = dealt
    return _Start(
        low=low,
        columns=lambda windows, within_s: label_columns(
            problem, low, windows, keep_within(problem, low, within_s)
        ),
        incumbent=incumbent,
        least_s=least_s,
    )
