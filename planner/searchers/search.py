"""Search a job's layouts with one of the searchers for expensive trials."""

from collections.abc import Iterable
from functools import partial
from hashlib import sha256
from time import perf_counter

import numpy as np

from plan3d.planner import frameworks, objectives
from plan3d.planner.advice import advice
from plan3d.planner.constraints import Constraint
from plan3d.planner.evaluator import evaluator_of
from plan3d.planner.grouping import best, grouped, ungrouped
from plan3d.planner.ranking import Ranking
from plan3d.planner.refine import replayed
from plan3d.planner.result import Certificate, Job, SearchResult
from plan3d.planner.searchers.boxes import closed_form, event_simulation
from plan3d.planner.searchers.grid import grid_of
from plan3d.planner.searchers.nsga2 import front
from plan3d.planner.searchers.pruning import pruned
from plan3d.planner.searchers.study import opened
from plan3d.planner.searchers.table import SEARCHERS
from plan3d.planner.space import space
from plan3d.planner.uncertainty import outlooks
from plan3d.simulator.errors import InputError, NothingFeasibleError, unknown
from plan3d.simulator.layout import LayoutTable

BUDGET = 100
"""Trials, where nothing else is said. [1]"""
INSTEAD = "an exhaustive search says why, and what would help"
FRONT = ("nsga2", "pareto")
"""The searcher and the objective that go together only."""


def search_with(
    job: Job,
    searcher: str,
    *,
    framework: str = frameworks.DEFAULT,
    objective: str = "time",
    constraints: Iterable[Constraint] = (),
    top: int = 10,
    budget: int = BUDGET,
    seed: int = 0,
    storage: str | None = None,
    events: bool = False,
    prefer_safe: bool = True,
) -> SearchResult:
    """Return the best plans that a searcher found: nothing is proven.

    Layouts that the closed form rules out by a wide margin are left out (`pruning`).

    Parameters
    ----------
    job, framework, constraints, top, prefer_safe
        As of `plan3d.planner.exhaustive.search`.
    searcher
        Its name in `SEARCHERS`.
    objective
        ``"time"``; for ``"nsga2"``, and for it only, ``"pareto"``.
    budget
        Trials, those that the study has already among them.
    seed
        Of what is drawn at random.
    storage
        Where the trials are kept (`plan3d.planner.searchers.study.opened`).
    events
        Whether a trial plays the pipeline; otherwise it is the closed form.

    Raises
    ------
    InputError
        If a name, the budget, the seed or the storage cannot be used.
    NothingFeasibleError
        If no layout is legal, or none that was tried fits.
    """
    started = perf_counter()
    if searcher not in SEARCHERS:
        raise unknown("searcher", searcher, SEARCHERS)
    if (searcher == FRONT[0]) != (objective == FRONT[1]) or objective not in ("time", FRONT[1]):
        raise InputError(
            f"searcher {searcher} cannot search by {objective}: nsga2 searches by pareto, the "
            "other searchers by time"
        )
    goal, evaluate = objectives.named(objective, job), evaluator_of(job)
    keeps = tuple(constraints)
    try:
        every = grid_of(job, frameworks.named(framework), keeps)
        grid = pruned(every)
    except NothingFeasibleError as error:
        raise NothingFeasibleError(f"{error}; {INSTEAD}") from error
    asked = _question(job, events=events)
    study = None if storage is None else opened(grid, storage, question=asked)
    box = event_simulation(job) if events else closed_form(job)
    history = SEARCHERS[searcher](grid, box, budget=budget, seed=seed, study=study)
    ran = front(history.trials) if goal.front else tuple(t for t in history.trials if t.ok)
    if not ran:
        raise NothingFeasibleError(
            f"{searcher} tried {history.evaluations:,} of {len(grid):,} layouts, and none fits; "
            f"give a larger budget; {INSTEAD}"
        )
    tried = LayoutTable.of(t.layout for t in ran)
    score = np.array([t.time_s for t in ran])
    ranked = ungrouped(tried, score, evaluate(tried).memory_bytes)
    ranked = ranked if goal.front else best(grouped(job, ranked, 2 * top), 2 * top)
    rank = Ranking(
        job=job, goal=goal, optimum=float(score.min()), evaluate=evaluate,
        play=partial(replayed, job), foresee=partial(outlooks, job), prefer_safe=prefer_safe,
    )  # fmt: skip
    chosen = rank(ranked, top)
    legal, fit = len(every), int(np.sum(every.filled <= 1)) if every.filled is not None else 0
    layouts = space(job, frameworks.named(framework), keeps)
    return SearchResult(
        job=job,
        plans=chosen.plans,
        certificate=Certificate(
            searcher=f"{searcher}, event simulation" if events else searcher,
            objective=goal.name,
            legal=legal,
            fit=fit,
            evaluated=history.evaluations,
            proven=False,
            gap=chosen.plans[0].gap,
            played=history.evaluations if events else len(ranked.score),
        ),
        infeasible=({"memory": legal - fit} if legal > fit else {}) | dict(layouts.refused),
        advice=advice(layouts, evaluate, legal, fit, None),
        nearest=None,
        elapsed_s=perf_counter() - started,
        near_best=chosen.near_best,
        safer=chosen.safer,
    )


def _question(job: Job, *, events: bool) -> str:
    """Return what a study is of: in words, and by a hash of every number of the job."""
    how = "event simulation" if events else "closed form"
    digest = sha256(repr(job).encode()).hexdigest()[:12]
    return f"{job.model.name} on {job.gpus:,} x {job.cluster.name}, {how}, {digest}"
