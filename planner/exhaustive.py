"""Look at every layout: the searcher that proves its answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Final

import numpy as np

from plan3d.planner import frameworks, objectives
from plan3d.planner.advice import advice
from plan3d.planner.constraints import Constraint
from plan3d.planner.evaluator import Evaluator, Player, evaluator_of
from plan3d.planner.grouping import Ranked, best, grouped, ungrouped
from plan3d.planner.objectives import Objective
from plan3d.planner.pareto import front, thinned
from plan3d.planner.ranking import Ranking
from plan3d.planner.reasons import GIB
from plan3d.planner.refine import replayed
from plan3d.planner.result import Certificate, Job, Plan, SearchResult
from plan3d.planner.space import Progress, Space, space, unheard
from plan3d.planner.uncertainty import Forecast, outlooks
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import LayoutTable

MAX_TOP: Final = 10_000
"""More plans than anyone reads. [1]"""


PLAYED: Final = 100
"""Plans whose pipelines are played out. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """What one pass over a space found."""

    legal: int
    fit: int
    ranked: Ranked
    """The best plans that fit."""
    optimum: float
    """The smallest score of all that fit."""
    misses: Ranked
    """Layouts that do not fit but would be better: the front of score and memory."""


def search(
    job: Job,
    *,
    framework: str = frameworks.DEFAULT,
    objective: str = "time",
    top: int = 10,
    constraints: Iterable[Constraint] = (),
    evaluator: Evaluator | None = None,
    player: Player | None = None,
    forecast: Forecast | None = None,
    prefer_safe: bool = True,
    progress: Progress = unheard,
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
    player
        What becomes of an estimate when its pipeline is played out: ranks the best `PLAYED` plans
        again. By default the event simulation, where the evaluator is the default, too.
    forecast
        How sure the estimates are. By default the intervals learnt from published runs, where the
        evaluator is the default, too.
    prefer_safe
        Of the plans that are as fast as the best, put that in front which is the least likely to
        run out of memory, as far as a forecast says (`plan3d.planner.safer`).
    progress
        Is told how much of the space has been looked at.
    """
    started = perf_counter()
    if not 1 <= top <= MAX_TOP:
        raise InputError(f"top is {top}, but must be a whole number from 1 to {MAX_TOP:,}")
    goal = objectives.named(objective, job)
    evaluate = evaluator or evaluator_of(job)
    play = player or (partial(replayed, job) if evaluator is None else None)
    foresee = forecast or (partial(outlooks, job) if evaluator is None else None)
    layouts = space(job, frameworks.named(framework), tuple(constraints))
    scan = _scan(layouts, goal, evaluate, max(top, PLAYED if play else 0), progress)
    rank = Ranking(
        job=job, goal=goal, optimum=scan.optimum, evaluate=evaluate, play=play, foresee=foresee,
        prefer_safe=prefer_safe,
    )  # fmt: skip
    chosen = rank(thinned(scan.ranked, top) if goal.front else scan.ranked, top)
    plans = chosen.plans
    nearest = _nearest(scan, evaluate, foresee)
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
            gap=plans[0].gap if plans else 0.0,
            played=len(scan.ranked.score) if play else 0,
        ),
        infeasible=too_large | dict(layouts.refused),
        advice=advice(layouts, evaluate, scan.legal, scan.fit, nearest),
        nearest=None if plans else nearest,
        elapsed_s=perf_counter() - started,
        near_best=chosen.near_best,
        safer=chosen.safer,
    )


def _scan(
    layouts: Space, goal: Objective, evaluate: Evaluator, top: int, progress: Progress
) -> Scan:
    """Evaluate all layouts, a chunk at a time."""
    legal, fit, optimum = 0, 0, np.inf
    ranked = misses = ungrouped(LayoutTable.of([]), np.zeros(0), np.zeros(0))
    for table in layouts.chunks(progress):
        estimates = evaluate(table)
        memory_bytes = estimates.memory_bytes
        score = goal.score(layouts.job, estimates.step_time_s, memory_bytes)
        fits = memory_bytes <= estimates.capacity_bytes
        every = ungrouped(table, score, memory_bytes)
        legal += len(table)
        fit += int(fits.sum())
        optimum = min(optimum, float(np.min(score, where=fits, initial=np.inf)))
        ranked = _kept(layouts.job, goal, ranked, every.take(np.flatnonzero(fits)), top)
        misses = misses.joined(every.take(np.flatnonzero(~fits & (score < optimum))))
        misses = misses.take(front(misses.score, misses.memory_bytes))
    misses = misses.take(np.flatnonzero(misses.score < optimum))
    return Scan(legal=legal, fit=fit, ranked=ranked, optimum=optimum, misses=misses)


def _kept(job: Job, goal: Objective, kept: Ranked, new: Ranked, top: int) -> Ranked:
    """Return the best of what was kept and what is new."""
    if goal.front:
        both = kept.joined(new.take(front(new.score, new.memory_bytes)))
        return both.take(front(both.score, both.memory_bytes))
    return best(grouped(job, kept.joined(grouped(job, new, 2 * top)), 2 * top), 2 * top)


def _nearest(scan: Scan, evaluate: Evaluator, foresee: Forecast | None) -> Plan | None:
    """Return the layout that misses the memory by least, of those that would be better."""
    if len(scan.misses.score) == 0:
        return None
    miss = scan.misses.take(np.argmin(scan.misses.memory_bytes, keepdims=True))
    table = evaluate(miss.layouts)
    estimate = table.row(0)
    missing_gib = (estimate.memory_bytes - estimate.capacity_bytes) / GIB
    return Plan(
        rank=1,
        layout=miss.layouts.row(0),
        estimate=estimate,
        behind=0.0,
        variants=1,
        reason=f"misses the memory by {missing_gib:,.1f} GiB",
        outlook=foresee(miss.layouts, table).row(0) if foresee else None,
    )
