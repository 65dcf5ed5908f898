"""The best partition, beside the even split and beside what a framework can express."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from plan3d.planner.exports.arguments import words
from plan3d.planner.exports.megatron import recompute_arguments, stage_arguments
from plan3d.planner.frameworks import Framework
from plan3d.planner.partition import dp, ilp
from plan3d.planner.partition.bounds import TOLERANCE
from plan3d.planner.partition.cost import Assignment, Solution
from plan3d.planner.partition.problem import FREE, Coupling, Problem
from plan3d.planner.partition.settings import (
    Sizes,
    best_split,
    ends_sizes,
    even_sizes,
    one_setting,
    setting_name,
    usable_settings,
)
from plan3d.planner.partition.windows import Setting
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown
from plan3d.simulator.layout import Layout, Recompute

SEARCHERS = ("dp", "ilp")
ENDS = ("megatron", "nemo")
"""Frameworks whose first and last stage may have another number of layers than the others."""
ANY_SPLIT = ("megatron",)
"""Frameworks that take any split: Megatron-LM, --pipeline-model-parallel-layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """A simple assignment, and how a framework is told of it."""

    assignment: Assignment
    how: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """What the exact partition gains, and what of it a framework can run."""

    problem: Problem
    best: Solution
    """`ideal`: each layer its own option, any split; or what keeps the coupling asked for."""
    even: Simple | None
    """The even split with its best setting; None if none fits."""
    runnable: Simple | None
    """The best that the framework can run; None if nothing of it fits."""
    framework: str

    @property
    def gain(self) -> float | None:
        """How much faster the best is than the even split: 0.02 is 2 % [1]."""
        return self._over(self.even)

    @property
    def gap(self) -> float | None:
        """How much slower the runnable one is than the best [1]."""
        return self._over(self.runnable)

    def _over(self, other: Simple | None) -> float | None:
        if other is None:
            return None
        return other.assignment.step_time_s / self.best.assignment.step_time_s - 1


def compare(
    problem: Problem, framework: Framework, *, searcher: str | None = None,
    coupling: Coupling = FREE, time_limit_s: float = ilp.TIME_LIMIT_S,
) -> Comparison:  # fmt: skip
    """Solve a problem, and compare the answer with simple ones.

    Parameters
    ----------
    problem
        Costs.
    framework
        Whose splits and settings are runnable.
    searcher
        ``"dp"`` or ``"ilp"``; by default the DP where it can answer.
    coupling
        What holds for all stages together.
    time_limit_s
        How long the integer program's solver may take. [s]

    Raises
    ------
    NothingFeasibleError
        If no assignment fits.
    """
    best = _solver(problem, searcher, coupling)(problem, coupling, time_limit_s)
    layers, chunks = len(problem.layers), len(problem.device_of)
    even = [even_sizes(layers, chunks)]
    return Comparison(
        problem=problem,
        best=best,
        even=_simple(problem, framework, even),
        runnable=_runnable(problem, framework),
        framework=framework.name,
    )


def _solver(
    problem: Problem, searcher: str | None, coupling: Coupling
) -> Callable[[Problem, Coupling, float], Solution]:
    """Return the solver that is asked for, or that suits the problem."""
    if searcher not in (None, *SEARCHERS):
        raise unknown("searcher", str(searcher), SEARCHERS)
    plain = problem.chunks_per_device == 1 and problem.host is None
    if searcher is None:
        searcher = "dp" if plain and coupling.max_kinds is None else "ilp"
    if searcher == "ilp":
        return lambda asked, how, limit_s: ilp.solve(asked, how, time_limit_s=limit_s)
    if coupling.max_kinds is not None:
        raise InputError("the DP does not count kinds of stages; use --searcher ilp")
    return _one_setting if coupling.one_recompute and plain else lambda *a: dp.solve(a[0])


def _one_setting(problem: Problem, _: Coupling, __: float) -> Solution:
    found = one_setting(problem)
    if found is None:
        raise NothingFeasibleError(
            f"no partition fits with one recompute setting; {dp.shortfall(problem)}"
        )
    return Solution(
        assignment=found[0], searcher="dp, once per setting", proven=True,
        bound_s=found[0].step_time_s,
    )  # fmt: skip


def _runnable(problem: Problem, framework: Framework) -> Simple | None:
    """Return the best that a framework can run: any split only where it takes any."""
    simple = _simple(problem, framework, _splits(problem, framework))
    if framework.name not in ANY_SPLIT or problem.chunks_per_device > 1 or problem.host is not None:
        return simple
    found = one_setting(problem, partial(_has, framework, problem.layers.options))
    if found is None or (
        simple is not None
        and simple.assignment.step_time_s <= found[0].step_time_s * (1 + TOLERANCE)
    ):
        return simple
    return Simple(assignment=found[0], how=_how(problem, framework, found[0].sizes, found[1]))


def _splits(problem: Problem, framework: Framework) -> list[Sizes]:
    """Return the splits that a framework has options for."""
    layers, chunks = len(problem.layers), len(problem.device_of)
    if framework.name not in ENDS:
        return [even_sizes(layers, chunks)]
    if problem.chunks_per_device == 1:
        return list(ends_sizes(layers, chunks))
    splits = [even_sizes(layers, chunks)] * (layers % chunks == 0)
    if (layers + 2) % chunks == 0 and layers + 2 > chunks:
        each = (layers + 2) // chunks
        splits.append((each - 1, *[each] * (chunks - 2), each - 1))
    return splits


def _simple(problem: Problem, framework: Framework, splits: list[Sizes]) -> Simple | None:
    """Return the best of some splits with one setting that the framework has."""
    has = partial(_has, framework, problem.layers.options)
    rules, longest = usable_settings(problem, splits, has)
    found = best_split(problem, splits, rules, longest)
    if found is None:
        return None
    assignment, rule = found
    return Simple(assignment=assignment, how=_how(problem, framework, assignment.sizes, rule))


def _has(framework: Framework, options: tuple[str, ...], rule: Setting) -> bool:
    """Return whether a framework has a setting; options that only a table names, it has."""
    if rule.count:
        return Recompute.BLOCK in framework.recompute
    name = options[rule.tail].upper()
    return name not in Recompute.__members__ or Recompute[name] in framework.recompute


def _how(problem: Problem, framework: Framework, sizes: Sizes, rule: Setting) -> str:
    """Return how the framework is told of an assignment: Megatron-LM's options, or words."""
    name = setting_name(rule, problem.layers.options)
    even = len(set(sizes)) == 1
    if framework.name != "megatron":
        layers = f"{sizes[0]} layers a stage" if even else "layers " + "/".join(map(str, sizes))
        return f"{layers}, recompute {name}"
    chunks = problem.chunks_per_device
    layout = Layout(pp=len(problem.devices), vpp=chunks)
    if rule.count:
        count = rule.count * chunks
        layout = replace(layout, recompute=Recompute.BLOCK, recompute_layers=count)
    elif name.upper() in Recompute.__members__:
        layout = replace(layout, recompute=Recompute[name.upper()])
    given = {"num-layers": sum(sizes), "pipeline-model-parallel-size": layout.pp}
    split = stage_arguments(sum(sizes), layout, sizes)
    return shlex.join(words({**given, **split, **recompute_arguments(layout)}))
