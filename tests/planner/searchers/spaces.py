"""Small spaces for the tests of searchers, and black boxes that watch themselves."""

from collections import Counter
from functools import cache

from plan3d.planner.constraints import parse_fix
from plan3d.planner.result import Job
from plan3d.planner.searchers.boxes import closed_form
from plan3d.planner.searchers.grid import Grid, grid_of
from plan3d.planner.searchers.protocols import BlackBox, Trial
from plan3d.planner.searchers.table import SEARCHERS
from plan3d.simulator.layout import Layout
from tests.planner.jobs import job

QUICK: list[str] = [name for name in SEARCHERS if name != "gp"]
"""Searchers that take milliseconds a trial, and need no torch."""
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
