"""Look at every layout: the searcher that proves its answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Final, Protocol

import numpy as np

from plan3d.planner import frameworks, objectives
from plan3d.planner.advice import advice
from plan3d.planner.constraints import Constraint
from plan3d.planner.grouping import Ranked, best, grouped, ungrouped
from plan3d.planner.objectives import Objective
from plan3d.planner.pareto import front, thinned
from plan3d.planner.reasons import GIB, why_behind, why_best, why_on_front
from plan3d.planner.result import Certificate, Job, Plan, SearchResult
from plan3d.planner.space import Space, space
from plan3d.simulator.errors import InputError
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.result import EstimateTable


class Evaluator(Protocol):
    """Estimates a step for every layout of a table."""

    def __call__(self, table: LayoutTable, /) -> EstimateTable:
        """Return the estimates, in the order of the table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """What one pass over a space found."""

    legal: int
    fit: int
    ranked: Ranked
    """The best plans that fit."""
    optimum: float
    """The smallest score of all that fit."""
    nearest: Ranked
    """The layout that misses the memory by least: one, or none."""


def search(
    job: Job,
    *,
    framework: str = "any",
    objective: str = "time",
    top: int = 10,
    constraints: Iterable[Constraint] = (),
    evaluator: Evaluator | None = None,
) -> SearchResult:
    """Return the best of all layouts of a job.

    Parameters
    ----------
    job
        The question.
    framework
        Only layouts that it can run (`plan3d.planner.frameworks`).
    objective
        What the best has least of (`plan3d.planner.objectives`).
    top
        Plans to return: different ones, where near-ties count as one.
    constraints
        Only layouts that keep them.
    evaluator
        What a layout costs; by default the analytical model.
    """
    started = perf_counter()
    if not 1 <= top <= MAX_TOP:
        raise InputError(f"top is {top}, but must be a whole number from 1 to {MAX_TOP:,}")
    goal = objectives.named(objective, job)
    evaluate = evaluator or evaluator_of(job)
    layouts = space(job, frameworks.named(framework), tuple(constraints))
    scan = _scan(layouts, goal, evaluate, top)
    plans = _plans(scan, goal, evaluate)
    misses = _misses(scan, evaluate)
    too_large = {"memory": scan.legal - scan.fit} if scan.legal > scan.fit else {}
    return SearchResult(
        job=job,
        plans=plans,
        certificate=Certificate(
            searcher="exhaustive",
            objective=goal.name,
            legal=scan.legal,
            fit=scan.fit,
            evaluated=scan.legal,
            proven=True,
        ),
        infeasible=too_large | dict(layouts.refused),
        advice=advice(layouts, evaluate, scan.legal, scan.fit, misses),
        nearest=None if plans else misses,
        elapsed_s=perf_counter() - started,
    )


MAX_TOP: Final = 10_000
"""More plans than anyone reads. [1]"""


def evaluator_of(job: Job) -> Evaluator:
    """Return the analytical model of a job's step."""
    return partial(estimate_table, job.model, job.work, job.cluster, job.software)


def _scan(layouts: Space, goal: Objective, evaluate: Evaluator, top: int) -> Scan:
    """Evaluate all layouts, a chunk at a time."""
    legal, fit, optimum = 0, 0, np.inf
    none = LayoutTable.of([])
    ranked = nearest = ungrouped(none, np.zeros(0), np.zeros(0))
    for table in layouts.chunks():
        estimates = evaluate(table)
        memory_bytes = estimates.memory_bytes
        score = goal.score(layouts.job, estimates.step_time_s, memory_bytes)
        fits = memory_bytes <= estimates.capacity_bytes
        every = ungrouped(table, score, memory_bytes)
        legal += len(table)
        fit += int(fits.sum())
        ranked = _kept(layouts.job, goal, ranked, every.take(np.flatnonzero(fits)), top)
        optimum = min(optimum, float(np.min(score, where=fits, initial=np.inf)))
        if not fits.all():
            miss = every.take(np.argmin(np.where(fits, np.inf, memory_bytes), keepdims=True))
            nearest = nearest.joined(miss)
            nearest = nearest.take(np.argmin(nearest.memory_bytes, keepdims=True))
    return Scan(legal=legal, fit=fit, ranked=ranked, optimum=optimum, nearest=nearest)


def _kept(job: Job, goal: Objective, kept: Ranked, new: Ranked, top: int) -> Ranked:
    """Return the best of what was kept and what is new."""
    if goal.front:
        both = kept.joined(new.take(front(new.score, new.memory_bytes)))
        return both.take(front(both.score, both.memory_bytes))
    return best(kept.joined(grouped(job, new, top)), top)
