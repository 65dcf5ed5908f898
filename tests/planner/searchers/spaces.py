"""Small spaces for the tests of searchers, and black boxes that watch themselves."""

from collections import Counter
from functools import cache

from plan3d.planner.constraints import parse_fix
from plan3d.planner.result import Job
from plan3d.planner.searchers.annealing import annealing
from plan3d.planner.searchers.bayesian import bayesian
from plan3d.planner.searchers.boxes import closed_form
from plan3d.planner.searchers.evolution import evolution
from plan3d.planner.searchers.grid import Grid, grid_of
from plan3d.planner.searchers.policy import policy
from plan3d.planner.searchers.protocols import BlackBox, Searcher, Trial
from plan3d.planner.searchers.random_search import random_search
from plan3d.planner.searchers.residual import residual
from plan3d.simulator.layout import Layout
from tests.planner.jobs import job

SEARCHERS: dict[str, Searcher] = {
    "random": random_search,
    "annealing": annealing,
    "evolution": evolution,
    "policy": policy,
    "bayesian": bayesian,
    "residual": residual,
}
JOB: Job = job(8)


@cache
def small() -> Grid:
    """Some hundred layouts of 8 GPUs."""
    fixes = ("zero=1", "recompute=none", "schedule=1f1b", "sp=0")
    return grid_of(JOB, constraints=tuple(parse_fix(text) for text in fixes))


class Watched:
    """A black box that counts what it is asked."""

    def __init__(self, box: BlackBox | None = None) -> None:
        self.box = box or closed_form(JOB)
        self.asked: Counter[Layout] = Counter()

    def __call__(self, layout: Layout, /) -> Trial:
        self.asked[layout] += 1
        return self.box(layout)
