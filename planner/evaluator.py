"""What a searcher asks of a cost model."""

from functools import partial
from typing import Protocol

from plan3d.planner.result import Job
from plan3d.simulator.estimate import estimate_table
from plan3d.simulator.layout import LayoutTable
from plan3d.simulator.result import EstimateTable


class Evaluator(Protocol):
    """Estimates a step for every layout of a table."""

    def __call__(self, table: LayoutTable, /) -> EstimateTable:
        """Return the estimates, in the order of the table."""
        ...


class Player(Protocol):
    """Plays the pipelines of layouts out."""

    def __call__(self, table: LayoutTable, estimates: EstimateTable, /) -> EstimateTable:
        """Return the estimates with the time that the pipelines take when played."""
        ...


def evaluator_of(job: Job) -> Evaluator:
    """Return the analytical model of a job's step."""
    return partial(estimate_table, job.model, job.work, job.cluster, job.software)
